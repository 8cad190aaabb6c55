import CLibbpf
import Glibc

/// An attachment of a program; it ends when the last descriptor and pin of it are gone.
package struct Link: ~Copyable, Sendable {
    package let descriptor: Descriptor

    init(descriptor: consuming Descriptor) {
        self.descriptor = descriptor
    }

    /// The link pinned at `path`, or nil when there is none.
    package init?(pinned path: String) throws(BPFError) {
        let opened = bpf_obj_get(path)
        if opened < 0 {
            guard errno == ENOENT else { throw BPFError("open pinned link \(path)", code: errno) }
            return nil
        }
        descriptor = Descriptor(owning: opened)
    }

    /// The id of the cgroup that a cgroup link is attached to; 0 once that cgroup is gone or the link detached.
    package func cgroup() throws(BPFError) -> UInt64 {
        var info = bpf_link_info()
        var size = UInt32(MemoryLayout<bpf_link_info>.size)
        guard bpf_obj_get_info_by_fd(descriptor.number, &info, &size) == 0 else {
            throw BPFError("read link info", code: errno)
        }
        return info.cgroup.cgroup_id
    }

    /// Puts `program` in the place of the attached one, with no moment in which none is attached.
    package func replace(with program: borrowing Program) throws(BPFError) {
        guard bpf_link_update(descriptor.number, program.descriptor.number, nil) == 0 else {
            throw BPFError("replace the program of a link", code: errno)
        }
    }

    package func pin(at path: String) throws(BPFError) {
        guard bpf_obj_pin(descriptor.number, path) == 0 else { throw BPFError("pin link \(path)", code: errno) }
    }

    /// Ends the attachment, whoever else holds the link.
    package func detach() throws(BPFError) {
        guard bpf_link_detach(descriptor.number) == 0 else { throw BPFError("detach link", code: errno) }
    }
}
