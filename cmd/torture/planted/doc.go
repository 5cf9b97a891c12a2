// Package planted builds the program with one of the patches of scripts/planted, each of which breaks one promise on purpose:
// a check that has never been red proves nothing. The checkout itself is never changed.
package planted
