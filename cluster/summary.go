package cluster

import (
	"fmt"
	"strings"
	"time"
)

// certificateSoon is when a certificate that was not renewed is worth a sentence: it should have been three months ago.
const certificateSoon = 30 * 24 * time.Hour

// summary says how the cluster is, in the words that a person needs at night: whether it works, who is missing, and how
// many more may go.
func summary(v View, now time.Time) string {
	var down, low, ending []string
	voters, up := 0, 0
	for _, m := range v.Members {
		if m.DiskLow {
			low = append(low, m.Name)
		}
		if !m.CertificateExpires.IsZero() && m.CertificateExpires.Sub(now) < certificateSoon {
			ending = append(ending, m.Name+" ("+m.CertificateExpires.Format(time.DateOnly)+")")
		}
		switch {
		case !m.Voter:
		case m.Up:
			voters, up = voters+1, up+1
		default:
			voters++
			down = append(down, m.Name)
		}
	}
	needed := voters/2 + 1
	counted := fmt.Sprintf("%d of %d voter%s up", up, voters, plural(voters))
	var s []string
	switch {
	case voters == 0:
		return "Not in the cluster yet: this node has not heard who belongs to it."
	case v.Leader == "" && up < needed:
		s = append(s, fmt.Sprintf("No leader. %s, %d are needed: %s %s down.", counted, needed, enumerate(down), isOrAre(len(down))))
	case v.Leader == "":
		s = append(s, fmt.Sprintf("No leader. %s, %d are needed: an election is under way, or they don't reach each other.", counted, needed))
	default:
		if len(down) > 0 {
			counted += " (" + enumerate(down) + " " + isOrAre(len(down)) + " down)"
		}
		spare := max(0, up-needed)
		state := "Healthy."
		if len(down) > 0 || len(low) > 0 {
			state = "Degraded."
		}
		s = append(s, fmt.Sprintf("%s %s. You can lose %d node%s.", state, counted, spare, plural(spare)))
	}
	if voters == 1 {
		s = append(s, "Two more nodes would keep it going when one is lost.")
	}
	s = append(s, lowDisks(v, low, voters)...)
	if len(ending) > 0 {
		s = append(s, "Certificates end soon: "+enumerate(ending)+".")
	}
	return strings.Join(s, " ")
}

// lowDisks says whose disks are low, and what that means. Of the members that are named only voters count.
func lowDisks(v View, low []string, voters int) []string {
	if len(low) == 0 {
		return nil
	}
	count := 0
	for _, m := range v.Members {
		if m.Voter && m.DiskLow {
			count++
		}
	}
	s := "Disk low on " + enumerate(low)
	if count > voters/2 {
		s += ": sends are refused until a majority has room again"
	}
	return []string{s + "."}
}

// enumerate joins names as in "a, b and c".
func enumerate(names []string) string {
	if len(names) < 2 {
		return strings.Join(names, "")
	}
	last := len(names) - 1
	return strings.Join(names[:last], ", ") + " and " + names[last]
}

func plural(n int) string {
	if n == 1 {
		return ""
	}
	return "s"
}

func isOrAre(n int) string {
	if n == 1 {
		return "is"
	}
	return "are"
}
