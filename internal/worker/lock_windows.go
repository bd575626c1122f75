package worker

import (
	"errors"
	"os"

	"golang.org/x/sys/windows"
)

// lockFile locks an open file until it is closed, or its process is gone. The byte that is locked lies beyond any content, for
// Windows keeps others from reading what is locked.
func lockFile(f *os.File) error {
	const whole = windows.LOCKFILE_EXCLUSIVE_LOCK | windows.LOCKFILE_FAIL_IMMEDIATELY
	err := windows.LockFileEx(windows.Handle(f.Fd()), whole, 0, 1, 0, &windows.Overlapped{OffsetHigh: 1 << 30})
	if errors.Is(err, windows.ERROR_LOCK_VIOLATION) {
		return ErrLocked
	}
	return err
}

// syncFolder does nothing: Windows cannot, and needs not.
func syncFolder(string) error { return nil }
