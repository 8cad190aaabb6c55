// What the playground needs: a process inside a pod that is a network namespace and a cgroup.
#pragma once

#include "clinux.h"

#include <linux/bpf.h>
#include <linux/close_range.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>

int close_range(unsigned int first, unsigned int last, int flags);

/// How many BPF programs hook connect(2) on the cgroup folder that `fd` names; -1 with errno set.
static inline int clinux_connect_hooks(int fd)
{
	union bpf_attr attributes;

	memset(&attributes, 0, sizeof(attributes));
	attributes.query.target_fd = (uint32_t)fd;
	attributes.query.attach_type = BPF_CGROUP_INET4_CONNECT;
	return syscall(SYS_bpf, BPF_PROG_QUERY, &attributes, sizeof(attributes)) == 0
		       ? (int)attributes.query.prog_cnt
		       : -1;
}

/// What a process gives up on its way into a pod that is a network namespace and a cgroup on this machine.
struct clinux_pod {
	int netns; // the network namespace, open
	int cgroup_procs; // its cgroup's cgroup.procs, open for writing
	const char *hosts; // the file that takes the place of /etc/hosts
};

enum clinux_pod_step {
	CLINUX_POD_CGROUP = 1,
	CLINUX_POD_NETNS,
	CLINUX_POD_MOUNTS,
	CLINUX_POD_HOSTS,
	CLINUX_POD_DIRECTORY,
	CLINUX_POD_EXECUTE,
};

/// Puts the calling process into the pod's cgroup and the calling thread into its network namespace and into a mount
/// namespace of its own where /etc/hosts is the pod's. execve(2) from this thread takes all three along.
/// 0, or the step that failed (enum clinux_pod_step) with errno set. Async-signal-safe.
static inline int clinux_enter_pod(const struct clinux_pod *pod)
{
	if (write(pod->cgroup_procs, "0", 1) != 1)
		return CLINUX_POD_CGROUP;
	if (setns(pod->netns, CLONE_NEWNET) != 0)
		return CLINUX_POD_NETNS;
	// Slave, not private: an unmount on the host must reach the pod, or its copies keep namespaces and pins alive.
	if (unshare(CLONE_NEWNS) != 0 || mount("none", "/", NULL, MS_REC | MS_SLAVE, NULL) != 0)
		return CLINUX_POD_MOUNTS;
	if (mount(pod->hosts, "/etc/hosts", NULL, MS_BIND, NULL) != 0)
		return CLINUX_POD_HOSTS;
	return 0;
}

/// A program to start in a pod. `input`, `output` and `error` become 0, 1 and 2; `notify`, unless it is -1, becomes 3;
/// every other descriptor is closed. `directory` may be NULL.
struct clinux_program {
	const char *path;
	char *const *arguments;
	char *const *environment;
	const char *directory;
	int input, output, error, notify;
};

/// Starts `program` in `pod`, in a session of its own when `session` is not 0. The process id, once execve(2) has
/// succeeded; else -1 with errno set and `*failed` the step that failed, 0 when it was fork(2) or pipe2(2).
static inline pid_t clinux_spawn_in_pod(const struct clinux_pod *pod, const struct clinux_program *program, int session,
					int *failed)
{
	int report[2], answer[2] = {0, 0};
	pid_t child;
	ssize_t count;

	*failed = 0;
	if (pipe2(report, O_CLOEXEC) != 0)
		return -1;
	child = fork();
	if (child == 0) {
		sigset_t none;
		int step = clinux_enter_pod(pod);

		if (session)
			setsid();
		if (step == 0 && program->directory && chdir(program->directory) != 0)
			step = CLINUX_POD_DIRECTORY;
		if (step == 0) {
			// Above 3 first, so that no copy below overwrites a source.
			int input = fcntl(program->input, F_DUPFD_CLOEXEC, 8);
			int output = fcntl(program->output, F_DUPFD_CLOEXEC, 8);
			int error = fcntl(program->error, F_DUPFD_CLOEXEC, 8);
			int notify = program->notify < 0 ? -1 : fcntl(program->notify, F_DUPFD_CLOEXEC, 8);

			report[1] = fcntl(report[1], F_DUPFD_CLOEXEC, 8);
			dup2(input, 0);
			dup2(output, 1);
			dup2(error, 2);
			if (notify >= 0)
				dup2(notify, 3);
			close_range(notify >= 0 ? 4 : 3, ~0U, CLOSE_RANGE_CLOEXEC);
			signal(SIGPIPE, SIG_DFL);
			sigemptyset(&none);
			sigprocmask(SIG_SETMASK, &none, NULL);
			execve(program->path, program->arguments, program->environment);
			step = CLINUX_POD_EXECUTE;
		}
		answer[0] = step;
		answer[1] = errno;
		count = write(report[1], answer, sizeof(answer));
		_exit(127);
	}
	close(report[1]);
	if (child < 0) {
		close(report[0]);
		return -1;
	}
	do
		count = read(report[0], answer, sizeof(answer));
	while (count < 0 && errno == EINTR);
	close(report[0]);
	if (count == sizeof(answer)) {
		while (waitpid(child, NULL, 0) < 0 && errno == EINTR)
			;
		*failed = answer[0];
		errno = answer[1];
		return -1;
	}
	return child;
}
