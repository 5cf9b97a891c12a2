package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/fastqueue/fastqueue/client"
)

const (
	// readinessLimit bounds the question to each node when none can say how the cluster is.
	readinessLimit = 3 * time.Second
	maxReadiness   = 4 << 10 // bytes of an answer that are looked at
)

func newClusterStatusCommand() *cobra.Command {
	var from connection
	var o output
	c := &cobra.Command{
		Use:   "status",
		Short: "Say how the cluster is, and how each node is",
		Long: `Say in a sentence how the cluster is, and in a table how each node is.

The answer is the view of the first --url that answers; it needs no leader. Logging in with a password does need one, so
have an API key or a recent "fastqueue auth login" at hand. Where no node accepts the credentials, each --url is asked
whether it is ready, which needs none.

LAG is how many log entries a node has not applied, and for how long. CLOCK is the difference to the node that answers.`,
		Example: `  fastqueue cluster status
  fastqueue cluster status --url http://n1:9080 --url http://n2:9080 --url http://n3:9080 --api-key-file key
  fastqueue cluster status -o json`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			return clusterStatus(c.Context(), &from, &o, c.OutOrStdout(), c.ErrOrStderr())
		},
	}
	from.addFlags(c.Flags())
	o.addFlags(c.Flags())
	return c
}

func clusterStatus(ctx context.Context, from *connection, o *output, stdout, stderr io.Writer) error {
	api, err := openFor(from, o)
	if err != nil {
		return err
	}
	defer api.Close()
	view, err := api.Cluster(ctx)
	if err != nil {
		reportReadiness(ctx, from.urls, stderr, err)
		return fmt.Errorf("cluster status: %w", err)
	}
	return o.print(stdout, view, func(w *tabwriter.Writer) { statusTable(w, &view, time.Now()) })
}

// statusTable prints a view of the cluster: the sentence first, and then what is known of each node.
func statusTable(w *tabwriter.Writer, v *client.Cluster, now time.Time) {
	fmt.Fprintf(w, "%s\n\n", v.Summary)
	fmt.Fprintln(w, "NODE\tROLE\tUP\tLAG\tSECONDS\tAPPLIED\tDISK FREE\tVERSION\tCLOCK\tCERTIFICATE\tAPI")
	for i := range v.Members {
		m := &v.Members[i]
		columns := []string{m.Name, role(m), yesNo(m.Up), "?", "?", "?", "?", "?", "?", "?", m.HTTP}
		if m.LastContactMs >= 0 { // the answering node has heard of it since it runs
			columns[3], columns[4], columns[5] = fmt.Sprint(m.Lag), fmt.Sprintf("%.1f", m.LagSeconds), fmt.Sprint(m.AppliedIndex)
			columns[6], columns[8] = diskFree(m), fmt.Sprintf("%+d ms", m.ClockDifferenceMs)
		}
		if m.Version != "" {
			columns[7] = shortVersion(m.Version)
		}
		if !m.CertificateExpires.IsZero() {
			columns[9] = expiry(m.CertificateExpires, now)
		}
		fmt.Fprintln(w, strings.Join(columns, "\t"))
	}
	fmt.Fprintf(w, "\nAs seen by %s", v.Node)
	if v.Leader == "" {
		fmt.Fprintf(w, ", which last heard of a leader %s ago", (time.Duration(v.AgeMs) * time.Millisecond).Round(time.Second))
	}
	fmt.Fprintln(w, ".")
}

func role(m *client.Member) string {
	name := "follower"
	switch {
	case m.Leader:
		name = "leader"
	case !m.Voter:
		name = "joining" // it does not vote before it has caught up
	}
	if m.Draining {
		name += ", stopping"
	}
	return name
}

func yesNo(b bool) string {
	if b {
		return "yes"
	}
	return "NO"
}

func diskFree(m *client.Member) string {
	text := byteSize(m.DiskFree)
	if m.DiskLow {
		text += " LOW"
	}
	return text
}

// byteSize is a number of bytes for people.
func byteSize(n uint64) string {
	if n < 1<<10 {
		return fmt.Sprintf("%d B", n)
	}
	size, unit := float64(n)/(1<<10), 0
	units := []string{"KiB", "MiB", "GiB", "TiB", "PiB"}
	for size >= 1<<10 && unit < len(units)-1 {
		size, unit = size/(1<<10), unit+1
	}
	return fmt.Sprintf("%.1f %s", size, units[unit])
}

// expiry is the day on which something ends, and how far away that is.
func expiry(at, now time.Time) string {
	day := at.UTC().Format(time.DateOnly)
	if !at.After(now) {
		return day + " EXPIRED"
	}
	return fmt.Sprintf("%s (%d days)", day, int(at.Sub(now)/(24*time.Hour)))
}

// shortVersion keeps of a version the beginning of the commit that tells it from others.
func shortVersion(v string) string {
	name, commit, found := strings.Cut(v, " ")
	if !found {
		return v
	}
	return name + " " + commit[:min(len(commit), 7)]
}

// reportReadiness asks every node whether it is ready, which needs neither credentials nor a leader, and prints the answers.
// It is for when the proper answer is not to be had, and says nothing if the refusal was not about the cluster's state.
func reportReadiness(ctx context.Context, urls []string, w io.Writer, cause error) {
	if e, ok := errors.AsType[*client.Error](cause); !ok || e.Status != 0 && e.Status < http.StatusInternalServerError {
		return
	}
	fmt.Fprintln(w, "No node could say how the cluster is. What each of them says of itself:")
	for _, url := range urls {
		fmt.Fprintf(w, "  %s  %s\n", url, readiness(ctx, url))
	}
}

func readiness(ctx context.Context, url string) string {
	ctx, cancel := context.WithTimeout(ctx, readinessLimit)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, strings.TrimSuffix(strings.TrimSuffix(url, "/"), "/v1")+"/readyz", nil)
	if err != nil {
		return err.Error()
	}
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		return "not reachable: " + err.Error()
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(io.LimitReader(answer.Body, maxReadiness))
	if err != nil {
		return "not reachable: " + err.Error()
	}
	if answer.StatusCode == http.StatusOK {
		return "ready"
	}
	return fmt.Sprintf("not ready (%d): %s", answer.StatusCode, strings.TrimSpace(string(body)))
}
