package httpd

import (
	"net/http"
	"reflect"
)

func docLivez() documentation {
	return documentation{
		id: "livez", tag: nodeTag, summary: "Say that the process answers", about: "Nothing more, so that nobody restarts a node that " +
			"only waits for others.",
		answer: liveness{}, shows: `{"status":"alive"}`, local: true,
	}
}

func docReadyz() documentation {
	return documentation{
		id: "readyz", tag: nodeTag, summary: "Say whether this node should get " +
			"requests", answer: readiness{}, shows: `{"status":"ready","reasons":[]}`, local: true,
		others: []otherAnswer{{http.StatusServiceUnavailable, "Send requests to other nodes; reasons says why. One that begins with " +
			"disk_full: waits for room on its disk.", readiness{}}},
	}
}

func docShowMetrics() documentation {
	glob := queryParameter("queue", "Only the families of the queues, for the queues whose names match this pattern: * any characters, ? "+
		"one, [a-c] one of these.",
		&schema{Type: "string", MinLength: new(int64(1)), MaxLength: new(int64(maxGlobBytes))})
	glob.Example = "orders-*"
	return documentation{
		id: "showMetrics", tag: nodeTag, summary: "Show the metrics", about: "For Prometheus. Open to this machine, and with the setting " +
			"metrics-open to everybody; otherwise it needs a credential.",
		parameters: []parameter{glob}, text: "text/plain", local: true, security: []string{noScheme, bearerScheme, keyScheme}, codes: []string{codeBusy},
	}
}

func docShowOpenAPI() documentation {
	return documentation{id: "showOpenAPI", tag: nodeTag, summary: "Show this document", text: "application/json", local: true}
}

func docShowDocs() documentation {
	return documentation{id: "showDocs", tag: nodeTag, summary: "Show this document to people", about: "One page that needs nothing from " +
		"elsewhere.", text: "text/html", local: true}
}

func nodeTypes() map[reflect.Type]described {
	return map[reflect.Type]described{
		reflect.TypeFor[liveness](): {"Liveness", "The process answers.", fields{"status": {about: "alive", values: []string{"alive"}}}},
		reflect.TypeFor[readiness](): {"Readiness", "Whether this node should get requests.", fields{
			"status":  {about: "The short answer.", values: []string{"ready", "not ready"}},
			"reasons": {about: "Why it is not ready; empty when it is."},
		}},
	}
}
