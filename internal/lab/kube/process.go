package kube

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"syscall"

	"golang.org/x/sys/unix"
)

// process is one running program of a cluster, its output in a file.
type process struct {
	name string
	log  string
	cmd  *exec.Cmd
	done chan struct{} // closed when the program has ended
}

// startProcess starts a program in a process group of its own, so that a Ctrl-C meant for the test does not reach it
// first, and with the parent's death as its own: a test killed by its timeout leaves no server behind. A nil environment
// is the parent's.
func startProcess(bin, dir string, env []string, args ...string) (*process, error) {
	p := &process{name: filepath.Base(bin), cmd: exec.Command(bin, args...), done: make(chan struct{})}
	p.log = filepath.Join(dir, p.name+".log")
	out, err := os.Create(p.log)
	if err != nil {
		return nil, err
	}
	p.cmd.Dir, p.cmd.Env, p.cmd.Stdout, p.cmd.Stderr = dir, env, out, out
	p.cmd.SysProcAttr = childAttr()
	started := make(chan error)
	go func() {
		// The kernel means the thread when it says parent, so the thread that starts the program waits for it.
		runtime.LockOSThread()
		defer out.Close()
		err := p.cmd.Start()
		started <- err
		if err == nil {
			_ = p.cmd.Wait() // it was killed: how it ended tells nothing
			close(p.done)
		}
	}()
	if err := <-started; err != nil {
		return nil, fmt.Errorf("start %s: %w", p.name, err)
	}
	return p, nil
}

// kill ends the program at once and waits for it. A graceful end of an API server takes up to a minute when a watch is
// open, and nothing it would save is kept.
func (p *process) kill() {
	_ = syscall.Kill(-p.cmd.Process.Pid, syscall.SIGKILL) // it fails where the program is gone already
	<-p.done
}

// ended returns the error that tells why the program is not running any more.
func (p *process) ended() error {
	return fmt.Errorf("%s ended with %s: %s", p.name, p.cmd.ProcessState, p.tail())
}

// tail returns the end of the program's log.
func (p *process) tail() string {
	b, _ := os.ReadFile(p.log)
	const most = 2000
	return string(bytes.TrimSpace(b[max(0, len(b)-most):]))
}

// reservePort binds a free loopback port without listening on it and returns the port and the file that holds it. The
// kernel gives the port to nobody else meanwhile, except to a program that asks for this port and, like this one, to
// share it (kube-apiserver with --permit-port-sharing) or to reuse it, as Go's listeners do. So the port is known before
// the server starts and cannot be lost.
func reservePort() (int, *os.File, error) {
	f, err := bindPort(&unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}, unix.SO_REUSEPORT, unix.SO_REUSEADDR)
	if err != nil {
		return 0, nil, fmt.Errorf("reserve a port: %w", err)
	}
	sa, err := unix.Getsockname(int(f.Fd()))
	if err != nil {
		f.Close()
		return 0, nil, fmt.Errorf("reserve a port: %w", err)
	}
	return sa.(*unix.SockaddrInet4).Port, f, nil
}

// bindPort returns a socket with the options that is bound to the address and does not listen.
func bindPort(to unix.Sockaddr, options ...int) (*os.File, error) {
	family := unix.AF_INET
	if _, ok := to.(*unix.SockaddrInet6); ok {
		family = unix.AF_INET6
	}
	fd, err := unix.Socket(family, unix.SOCK_STREAM, 0)
	if err != nil {
		return nil, err
	}
	unix.CloseOnExec(fd)
	for _, o := range options {
		err = errors.Join(err, unix.SetsockoptInt(fd, unix.SOL_SOCKET, o, 1))
	}
	if err = errors.Join(err, unix.Bind(fd, to)); err != nil {
		_ = unix.Close(fd)
		return nil, err
	}
	return os.NewFile(uintptr(fd), "held port"), nil
}
