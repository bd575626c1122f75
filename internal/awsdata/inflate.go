package awsdata

import "github.com/klauspost/compress/zstd"

// inflate returns the text of an embedded file. The files are written by gen, so that one that is broken is a mistake of
// the build.
func inflate(name, compressed string) string {
	z, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1))
	if err != nil {
		panic("embedded " + name + ": " + err.Error())
	}
	defer z.Close()
	text, err := z.DecodeAll([]byte(compressed), nil)
	if err != nil {
		panic("embedded " + name + ": " + err.Error())
	}
	return string(text)
}
