package store

import (
	"errors"
	"fmt"
	"runtime"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/bloom"
	"github.com/hashicorp/go-hclog"
)

const (
	// engineFormat is pinned: opening a store with a newer program never raises it, since a member of the old version
	// could not read the result.
	engineFormat = pebble.FormatTableFormatV6

	memTableBytes  = 32 << 20
	firstFileBytes = 2 << 20 // Pebble's default for the top level
	openFiles      = 1_000
)

// engineOptions returns Pebble's settings. Errors in its background work go to Fatal at the first call: Pebble itself
// retries for ever and lets writers wait.
func engineOptions(o *Options, cache *pebble.Cache) *pebble.Options {
	opts := &pebble.Options{
		FS:                          o.FS,
		Cache:                       cache,
		Logger:                      engineLogger{o},
		DisableWAL:                  true,
		FormatMajorVersion:          engineFormat,
		MemTableSize:                memTableBytes,
		MemTableStopWritesThreshold: 4,
		L0CompactionThreshold:       2,
		L0StopWritesThreshold:       64,
		MaxOpenFiles:                openFiles,
		BytesPerSync:                1 << 20,
		ErrorIfNotExists:            true,
		CompactionConcurrencyRange:  func() (int, int) { return 1, max(1, min(3, runtime.GOMAXPROCS(0)-1)) },
		EventListener: &pebble.EventListener{
			BackgroundError: func(err error) { _ = o.fail(wrap("storage engine", err)) },
			DataCorruption: func(info pebble.DataCorruptionInfo) {
				_ = o.fail(fmt.Errorf("storage engine: damaged file %s: %w", info.Path, info.Details))
			},
		},
	}
	for i := range opts.Levels {
		opts.Levels[i].FilterPolicy = bloom.FilterPolicy(10)
	}
	// Files that overlap no others are moved from level to level, not written anew. Messages come in the order of their keys,
	// so theirs are such files if they hold nothing else and one flush makes one: each table of the key space has files of
	// its own, and a file at the top may be as large as what is flushed. Below, sizes double as by default.
	opts.TargetFileSizes[0] = memTableBytes
	for i := 1; i < len(opts.TargetFileSizes); i++ {
		opts.TargetFileSizes[i] = firstFileBytes << i
	}
	opts.Experimental.SpanPolicyFunc = func(first []byte) (pebble.SpanPolicy, []byte, error) {
		return pebble.SpanPolicy{}, []byte{first[0] + 1}, nil
	}
	return opts
}

// openEngine opens the Pebble database in dir after a look at its format.
func openEngine(o *Options, cache *pebble.Cache, dir string, readOnly bool) (*pebble.DB, error) {
	desc, err := pebble.Peek(dir, o.FS)
	if err != nil {
		return nil, err
	}
	if !desc.Exists {
		return nil, errors.New("the directory holds no storage engine")
	}
	if desc.FormatMajorVersion != engineFormat {
		return nil, refusal{fmt.Errorf("the storage engine's format is %s and this version uses %s only: start the version that wrote it",
			desc.FormatMajorVersion, engineFormat)}
	}
	opts := engineOptions(o, cache)
	opts.ReadOnly = readOnly
	db, err := pebble.Open(dir, opts)
	if err != nil {
		return nil, err
	}
	if err := checkFormat(db, o.Schema); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return db, nil
}

// createEngine makes an empty database in dir, complete on disk when it returns.
func createEngine(o *Options, cache *pebble.Cache, dir string) error {
	opts := engineOptions(o, cache)
	opts.ErrorIfNotExists, opts.ErrorIfExists = false, true
	db, err := pebble.Open(dir, opts)
	if err != nil {
		return err
	}
	if err := db.Set([]byte(formatKey), encodeFormat(o.Schema), pebble.NoSync); err != nil {
		return errors.Join(err, db.Close())
	}
	return errors.Join(o.limited("flush of a new state", db.Flush), db.Close())
}

// engineLogger gives Pebble's messages to the node's logger.
type engineLogger struct{ o *Options }

func (l engineLogger) Infof(format string, args ...any) {
	l.o.Logger.Debug("storage engine", "message", hclog.Fmt(format, args...))
}

func (l engineLogger) Errorf(format string, args ...any) {
	l.o.Logger.Error("storage engine", "message", hclog.Fmt(format, args...))
}

// Fatalf must not return: Pebble relies on it.
func (l engineLogger) Fatalf(format string, args ...any) {
	panic(l.o.fail(fmt.Errorf("storage engine: "+format, args...)))
}
