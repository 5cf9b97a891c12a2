package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/fastqueue/fastqueue/cluster/transport"
)

func newJoinCommand() *cobra.Command {
	var o nodeOptions
	var token, tokenFile string
	c := &cobra.Command{
		Use:   "join TARGET...",
		Short: "Run a node that joins a cluster",
		Long: `Run a node that joins the cluster of one of the targets (cluster addresses of members).

The node and the member prove to each other that they know the join token; the token itself is not sent. The node gets
its place, catches up, says "joined" when it votes, and goes on serving. In the directory of a member it starts that
member.`,
		Example: `  # a second node on the same machine
  fastqueue join 127.0.0.1:9081 --token-file fastqueue-data/join-token \
      --data-dir fastqueue-data-2 --http-addr 127.0.0.1:9180 --cluster-addr 127.0.0.1:9181

  # on another machine
  FASTQUEUE_JOIN_TOKEN=... fastqueue join n1:9081 --http-addr 10.0.0.2:9080 --cluster-addr 10.0.0.2:9081`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(c *cobra.Command, targets []string) error {
			return join(c.Context(), o, targets, token, tokenFile)
		},
	}
	o.addFlags(c.Flags())
	c.Flags().StringVar(&token, "token", "", "join token; it shows in the process list, so prefer the other ways")
	flagOnly(c.Flags(), "token")
	c.Flags().StringVar(&tokenFile, "token-file", "", "file with the join token (default: the environment's "+joinTokenVariable+")")
	return c
}

func join(ctx context.Context, o nodeOptions, targets []string, token, tokenFile string) error {
	if err := o.complete(); err != nil {
		return usage(err)
	}
	if err := checkDataDir(o.dataDir); err != nil {
		return usage(err)
	}
	if err := checkAddresses("TARGET", targets); err != nil {
		return usage(err)
	}
	token, tokenErr := joinToken(token, tokenFile)
	if tokenErr == nil {
		if _, err := transport.JoinKey(token); err != nil {
			return usage(err)
		}
	}
	d, err := openDaemon(ctx, o)
	if err != nil {
		return unlessStopped(ctx, err)
	}
	return d.serve(ctx, func(ctx context.Context) error {
		if err := d.become(ctx, targets, token, tokenErr); err != nil {
			return err
		}
		if err := d.node.WaitVoter(ctx); err != nil {
			return err
		}
		fmt.Printf("joined: %s is a voter of the cluster, API http://%s/v1\n", d.node.Name(), o.advertiseHTTP)
		return nil
	})
}

// become starts the member whose directory this is, or asks to be admitted. A member needs no token; with one it makes
// sure that the targets belong to its own cluster.
func (d *daemon) become(ctx context.Context, targets []string, token string, tokenErr error) error {
	if !d.member {
		if tokenErr != nil {
			return tokenErr
		}
		return d.node.Join(ctx, targets, token)
	}
	if tokenErr == nil {
		if err := d.node.CheckCluster(ctx, targets, token); err != nil {
			return err
		}
	}
	return d.node.Start()
}
