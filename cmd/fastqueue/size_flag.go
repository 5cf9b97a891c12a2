package main

import (
	"fmt"

	"github.com/spf13/pflag"

	"github.com/fastqueue/fastqueue/cluster"
)

// sizeFlag is a number of bytes, written as 65536 or 64KiB.
type sizeFlag cluster.Size

var _ pflag.Value = (*sizeFlag)(nil)

func (s *sizeFlag) Type() string { return "size" }

func (s *sizeFlag) String() string { return cluster.Size(*s).String() }

// Set implements pflag.Value.
func (s *sizeFlag) Set(text string) error {
	size, err := cluster.ParseSize(text)
	if err != nil {
		return fmt.Errorf("%w; a size is needed, such as 512KiB or 64MiB", err)
	}
	*s = sizeFlag(size)
	return nil
}
