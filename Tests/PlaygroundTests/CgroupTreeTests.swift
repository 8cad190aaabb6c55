import Cgroups
import Testing

@Suite struct CgroupTreeTests {
    @Test func hybridMachine() {
        let mounts = """
            31 23 0:28 / /sys/fs/cgroup rw,relatime - tmpfs tmpfs rw,mode=755
            35 31 0:32 / /sys/fs/cgroup/memory rw,relatime - cgroup cgroup rw,memory
            41 31 0:38 / /sys/fs/cgroup/unified rw,relatime shared:4 - cgroup2 cgroup2 rw
            """
        #expect(CgroupTree(mountinfo: mounts)?.root == "/sys/fs/cgroup/unified")
    }

    @Test func escapedMountPoint() {
        let mounts = #"41 31 0:38 / /mnt/my\040cgroups rw shared:4 master:1 - cgroup2 none rw"#
        #expect(CgroupTree(mountinfo: mounts)?.root == "/mnt/my cgroups")
    }

    @Test func noCgroup2() {
        #expect(CgroupTree(mountinfo: "35 31 0:32 / /sys/fs/cgroup/memory rw - cgroup cgroup2 rw\n") == nil)
    }

    @Test func ownFolderWithoutKubelet() {
        #expect(CgroupTree(root: "/nowhere").podsFolder == "/nowhere/weir/pods")
    }
}
