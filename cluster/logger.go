package cluster

import "github.com/hashicorp/go-hclog"

// quieter passes on the messages of the raft library one level lower. A peer that can't be reached for a moment is an
// error to the library and daily life to a cluster; what an operator has to act on is said by this package.
type quieter struct{ hclog.Logger }

// Error implements hclog.Logger.
func (q quieter) Error(msg string, args ...any) { q.Logger.Warn(msg, args...) }

// Warn implements hclog.Logger.
func (q quieter) Warn(msg string, args ...any) { q.Logger.Info(msg, args...) }

// Info implements hclog.Logger.
func (q quieter) Info(msg string, args ...any) { q.Logger.Debug(msg, args...) }

// Named implements hclog.Logger.
func (q quieter) Named(name string) hclog.Logger { return quieter{q.Logger.Named(name)} }

// With implements hclog.Logger.
func (q quieter) With(args ...any) hclog.Logger { return quieter{q.Logger.With(args...)} }
