package cluster

import "context"

// requestIDKey is the context key of WithRequestID.
type requestIDKey struct{}

// WithRequestID names a client's request in the logs of the members that it reaches.
func WithRequestID(ctx context.Context, id string) context.Context {
	return context.WithValue(ctx, requestIDKey{}, id)
}

func requestID(ctx context.Context) string {
	id, _ := ctx.Value(requestIDKey{}).(string)
	return id
}
