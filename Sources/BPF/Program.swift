package import CLibbpf
import Glibc

/// A loaded program.
package struct Program: ~Copyable, Sendable {
    package let descriptor: Descriptor

    init(descriptor: consuming Descriptor) {
        self.descriptor = descriptor
    }

    /// Attaches it to `target`, a descriptor of a cgroup folder or a network namespace. The attachment lasts until the
    /// link and its pins are gone.
    package func attach(to target: CInt, as type: bpf_attach_type, name: String) throws(BPFError) -> Link {
        let link = bpf_link_create(descriptor.number, target, type, nil)
        guard link >= 0 else { throw BPFError("attach \(name)", code: errno) }
        return Link(descriptor: Descriptor(owning: link))
    }
}
