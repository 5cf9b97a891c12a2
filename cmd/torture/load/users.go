package load

import (
	"context"
	"fmt"

	"github.com/fastqueue/fastqueue/client"
	"github.com/fastqueue/fastqueue/cmd/torture/nodes"
)

// credentials are one user.
type credentials struct{ name, password, token string }

// makeUsers registers the users that share the work; the first is the admin.
func (l *Load) makeUsers(ctx context.Context) error {
	l.users = []credentials{{"admin", nodes.AdminPassword, l.cluster.Token()}}
	for i := 1; i < l.o.Users; i++ {
		u := credentials{name: fmt.Sprintf("worker-%d", i), password: fmt.Sprintf("%s of user %d", l.secret, i)}
		api, err := l.cluster.NewClient(client.Config{URLs: l.cluster.URLs(i), Username: u.name, Password: u.password})
		if err != nil {
			return err
		}
		if err := api.Register(ctx, u.name, u.password); err != nil {
			return fmt.Errorf("register %s: %w", u.name, err)
		}
		if u.token, err = api.Token(ctx); err != nil {
			return fmt.Errorf("log in as %s: %w", u.name, err)
		}
		l.users = append(l.users, u)
	}
	return nil
}
