package httpd

import (
	"bytes"
	"sync"
)

// maxKeptBuffer bounds what the pool keeps: rare big messages shall not pin their memory.
const maxKeptBuffer = 64 << 10

// buffers is a pool of byte buffers for bodies and answers.
type buffers struct{ pool sync.Pool }

func (p *buffers) get() *bytes.Buffer {
	if b, ok := p.pool.Get().(*bytes.Buffer); ok {
		return b
	}
	return new(bytes.Buffer)
}

// put takes a buffer back; nobody may use its bytes any more.
func (p *buffers) put(b *bytes.Buffer) {
	if b.Cap() <= maxKeptBuffer {
		b.Reset()
		p.pool.Put(b)
	}
}
