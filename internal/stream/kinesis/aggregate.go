package kinesis

import (
	"bytes"
	"crypto/md5" //nolint:gosec // 2026-11: G501: the format's checksum; it protects from accidents, and nothing rests on it
	"encoding/binary"
	"errors"
)

// magic begins a record into which the Kinesis Producer Library put several: then come a message of Protocol Buffers and its MD5
// sum (awslabs/amazon-kinesis-producer, aggregation-format.md, looked up 2026-11). Nothing that we read begins so otherwise.
var magic = []byte{0xf3, 0x89, 0x9a, 0xc2}

// The fields that matter: AggregatedRecord.records and Record.data. Partition keys do not: a record that was meant for another
// shard is sent there again by the library, and what comes twice counts once.
const (
	fieldRecords = 3
	fieldData    = 3
)

var errAggregate = errors.New("a record of the Kinesis Producer Library that is cut off or no message of Protocol Buffers")

// records are what a record consists of: itself, or what was put into it.
func records(data []byte) ([][]byte, error) {
	message, ok := bytes.CutPrefix(data, magic)
	if !ok {
		return [][]byte{data}, nil
	}
	if len(message) < md5.Size {
		return nil, errAggregate
	}
	message, sum := message[:len(message)-md5.Size], message[len(message)-md5.Size:]
	if got := md5.Sum(message); !bytes.Equal(got[:], sum) { //nolint:gosec // 2026-11: G401: as above
		return nil, errors.New("a record of the Kinesis Producer Library with a wrong checksum")
	}
	var all [][]byte
	err := fields(message, fieldRecords, func(record []byte) error {
		var found bool
		err := fields(record, fieldData, func(data []byte) error {
			if found {
				all = all[:len(all)-1] // of a field that is there twice the last counts
			}
			found = true
			all = append(all, data)
			return nil
		})
		if err == nil && !found {
			err = errAggregate
		}
		return err
	})
	return all, err
}

// The wire types of Protocol Buffers (protobuf.dev, "Encoding", 2026-11). Groups are not in these messages.
const (
	wireVarint = 0
	wire64     = 1
	wireBytes  = 2
	wire32     = 5
)

// fields calls f with each field of bytes that has this number, and passes over all others.
func fields(message []byte, number uint64, f func([]byte) error) error {
	for len(message) > 0 {
		tag, n := binary.Uvarint(message)
		if n <= 0 || tag>>3 == 0 {
			return errAggregate
		}
		message = message[n:]
		size := uint64(0)
		switch tag & 7 {
		case wireVarint:
			if _, n = binary.Uvarint(message); n <= 0 {
				return errAggregate
			}
			size = uint64(n)
		case wire64:
			size = 8
		case wire32:
			size = 4
		case wireBytes:
			if size, n = binary.Uvarint(message); n <= 0 {
				return errAggregate
			}
			message = message[n:]
		default:
			return errAggregate
		}
		if size > uint64(len(message)) {
			return errAggregate
		}
		if tag>>3 == number && tag&7 == wireBytes {
			if err := f(message[:size]); err != nil {
				return err
			}
		}
		message = message[size:]
	}
	return nil
}
