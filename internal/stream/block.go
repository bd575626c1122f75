package stream

import (
	"sync"

	"drawbridge/internal/event"
)

// blockSize is how many bytes of records are sent at once: a message of half a megabyte costs little more than one of a
// record. Servers take a megabyte unless they are told otherwise.
const blockSize = 512 << 10

// Block is records that are sent at once.
type Block struct {
	Partition int
	// Account is that of the first record, or the name of its cluster if none is known. Others may be of other accounts of the
	// same partition.
	Account        string
	Cluster, Input string
	// Lines are the records, one a line and without credentials.
	Lines []byte

	records []byte // as they came
	ends    []int  // of each
}

// blocks has those to fill again: they are big, and making them anew costs more than filling them.
var blocks = sync.Pool{New: func() any { return &Block{records: make([]byte, 0, blockSize+blockSize/8)} }}

func newBlock(k blockKey, account string) *Block {
	b := blocks.Get().(*Block)
	*b = Block{
		Partition: k.partition, Account: account, Cluster: k.cluster, Input: k.input,
		Lines: b.Lines[:0], records: b.records[:0], ends: b.ends[:0],
	}
	return b
}

// add appends a record, and says whether the block is full.
func (b *Block) add(record []byte) (full bool) {
	b.records = append(b.records, record...)
	b.ends = append(b.ends, len(b.records))
	return len(b.records) >= blockSize
}

// redact makes lines of the records.
func (b *Block) redact() {
	begin := 0
	for _, end := range b.ends {
		b.Lines = append(event.Redact(b.Lines, b.records[begin:end]), '\n')
		begin = end
	}
}
