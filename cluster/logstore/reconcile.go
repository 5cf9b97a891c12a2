package logstore

import (
	"errors"
	"fmt"

	"github.com/hashicorp/raft"
)

// Applied is the place in the log up to which the state machine's store is durable, and the place of the last state
// that was installed from another member (zero if none).
type Applied struct {
	Index, Term                   uint64
	InstalledIndex, InstalledTerm uint64
}

// Reconcile makes the log fit the state at start, before raft reads either. The log must reach to the applied entry and
// hold it, or begin right behind it. After an install the log may be older than the state, or hold other entries (a
// crash came before raft had cleared it, or raft could not go on with it): such a log is emptied, since the state
// covers it. Anything else means that the two directories do not belong together, or that one has lost data, and is
// refused.
func Reconcile(log Store, a Applied) error {
	first, last, err := bounds(log)
	if err != nil {
		return err
	}
	reason, err := mismatch(log, first, last, a)
	if err != nil {
		return err
	}
	if reason == "" {
		return checkTerm(log, last, a)
	}
	if a.Index != a.InstalledIndex || a.Term != a.InstalledTerm || a.Index == 0 || first > a.Index {
		return fmt.Errorf("the log and the state do not fit: %s. One of the two directories has lost data or comes from "+
			"elsewhere: restore both together, or move both away and let the node join again", reason)
	}
	if err := checkTerm(log, last, a); err != nil {
		return err
	}
	if last == 0 {
		return nil
	}
	if err := log.DeleteRange(first, last); err != nil {
		return fmt.Errorf("empty a log older than the installed state: %w", err)
	}
	return nil
}

// checkTerm refuses a log that has lost raft's term and vote: raft writes its term down before anything of it, and would
// otherwise vote again where it has voted.
func checkTerm(log Store, last uint64, a Applied) error {
	least := a.Term
	if last > 0 {
		var entry raft.Log
		if err := log.GetLog(last, &entry); err != nil {
			return fmt.Errorf("read the last entry %d of the log: %w", last, err)
		}
		least = max(least, entry.Term)
	}
	term, err := log.GetUint64([]byte("CurrentTerm"))
	if err != nil && err.Error() != errNotFound.Error() { // the term is 0 then
		return fmt.Errorf("read raft's term: %w", err)
	}
	if term < least {
		return fmt.Errorf("%w: raft's term is recorded as %d, and there are entries of term %d", ErrDamaged, term, least)
	}
	return nil
}

// mismatch says what is wrong between the log and the applied place; "" if nothing.
func mismatch(log Store, first, last uint64, a Applied) (string, error) {
	switch {
	case last == 0 && a.Index == 0:
		return "", nil
	case last < a.Index:
		return fmt.Sprintf("the log ends at entry %d and the state is at %d", last, a.Index), nil
	case first > a.Index+1:
		return fmt.Sprintf("the log begins at entry %d and the state is at %d", first, a.Index), nil
	case first == a.Index+1:
		return "", nil // nothing to compare: it goes on where the state ends
	}
	var entry raft.Log
	if err := log.GetLog(a.Index, &entry); err != nil {
		return "", fmt.Errorf("read the applied entry %d of the log: %w", a.Index, err)
	}
	if entry.Term != a.Term {
		return fmt.Sprintf("entry %d of the log has term %d and that of the state %d", a.Index, entry.Term, a.Term), nil
	}
	return "", nil
}

func bounds(log raft.LogStore) (first, last uint64, err error) {
	if first, err = log.FirstIndex(); err != nil {
		return 0, 0, fmt.Errorf("read first index of the log: %w", err)
	}
	if last, err = log.LastIndex(); err != nil {
		return 0, 0, fmt.Errorf("read last index of the log: %w", err)
	}
	return first, last, nil
}

// Installed implements Store.
//
// Raft compares the entry at the installed index with its log only through what follows: if the log goes on behind that
// entry but holds another one there, or none, raft refuses every further append and asks for the state again, for ever.
// Starting again with [Reconcile] ends that.
func (g *guard) Installed(index, term uint64) (string, error) {
	first, last, err := bounds(g)
	if err != nil {
		return "", err
	}
	in := &install{index: index, term: term}
	defer g.installed.Store(in)
	if last < index {
		return "", nil // all of the log is older; it goes away
	}
	if index < first {
		in.agrees = true // nothing may be cleared: what the log holds is newer than the installed state
		return fmt.Sprintf("the log begins at entry %d, behind the installed state at %d", first, index), nil
	}
	var entry raft.Log
	if err := g.GetLog(index, &entry); err != nil && !errors.Is(err, raft.ErrLogNotFound) {
		return "", err
	}
	in.agrees = entry.Index == index && entry.Term == term
	if !in.agrees {
		return fmt.Sprintf("the log holds another entry %d than the installed state, of term %d instead of %d", index, entry.Term, term), nil
	}
	return "", nil
}
