package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/fastqueue/fastqueue/cluster"
)

func newServeCommand() *cobra.Command {
	var o nodeOptions
	c := &cobra.Command{
		Use:   "serve",
		Short: "Run a node",
		Long: `Run a node.

In an empty data directory this founds a cluster of one node, to which others are added with "fastqueue join". With
--peers it is the same command on all nodes: they find each other, and exactly one of them founds the cluster. In the
directory of a member it starts that member.`,
		Example: `  # one node on this machine, data in ./fastqueue-data
  fastqueue serve

  # the same command on each of three machines, with its own addresses
  FASTQUEUE_JOIN_TOKEN=... fastqueue serve --peers n1:9081,n2:9081,n3:9081 \
      --http-addr 0.0.0.0:9080 --advertise-http n1:9080 --cluster-addr 0.0.0.0:9081 --advertise-cluster n1:9081`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return serve(c.Context(), o) },
	}
	o.addFlags(c.Flags())
	return c
}

func serve(ctx context.Context, o nodeOptions) error {
	if err := o.complete(); err != nil {
		return usage(err)
	}
	if err := checkDataDir(o.dataDir); err != nil {
		return usage(err)
	}
	d, err := openDaemon(ctx, o)
	if err != nil {
		return unlessStopped(ctx, err)
	}
	return d.serve(ctx, func(ctx context.Context) error {
		if err := d.start(ctx); err != nil {
			return err
		}
		if err := d.node.WaitVoter(ctx); err != nil {
			return err
		}
		d.greet()
		return nil
	})
}

// start makes the node a member in the way that its directory and its options ask for.
func (d *daemon) start(ctx context.Context) error {
	switch {
	case d.member:
		return d.node.Start()
	case len(d.options.peers) > 0:
		return d.joinOrFound(ctx)
	}
	f, err := founding(d.options.dataDir)
	if err != nil {
		return err
	}
	return d.node.Found(f)
}

func (d *daemon) joinOrFound(ctx context.Context) error {
	token := os.Getenv(joinTokenVariable)
	if token == "" {
		return usage(fmt.Errorf("--peers needs a join token in %s, the same one on all nodes; make one with: openssl rand -base64 32", joinTokenVariable))
	}
	if err := checkGivenSecrets(); err != nil {
		return err
	}
	return d.node.JoinOrFound(ctx, token, func() (cluster.Founding, error) { return founding(d.options.dataDir) })
}

// greet tells the person who started the node how to go on.
func (d *daemon) greet() {
	password := "as given in " + adminVariable + " at the first start, or in the data directory of the node that was started first"
	if path := filepath.Join(d.options.dataDir, adminPasswordFile); fileExists(path) {
		password = "in " + path
	}
	fmt.Printf(`FastQueue serves.

  API             http://%s/v1
  user            %s, password %s
  add a node      %s

`, d.options.advertiseHTTP, adminName, password, d.joinLine())
}

func fileExists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}
