package httpd

// docsStyle is all the styling of the docs page. Its hash stands in the page's Content-Security-Policy.
const docsStyle = `
:root { color-scheme: light dark; --line: #d0d7de; --soft: #f3f5f7; --accent: #0b5cad; --text: #1c2128; --page: #fff }
@media (prefers-color-scheme: dark) { :root { --line: #3a414a; --soft: #20262d; --accent: #7ab7ff; --text: #dde3ea; --page: #14181d } }
* { box-sizing: border-box }
body { margin: 0 auto; max-width: 62rem; padding: 1rem; font: 1rem/1.55 system-ui, sans-serif; color: var(--text); background: var(--page);
  overflow-wrap: anywhere }
a { color: var(--accent) }
h1 { margin: .5rem 0 } h2 { margin-top: 2.5rem; border-bottom: 2px solid var(--line) } h3 { margin: 2rem 0 .3rem }
h4 { margin: 1rem 0 .3rem; font-size: .9rem; text-transform: uppercase; letter-spacing: .05em }
code, pre { font: .88em/1.5 ui-monospace, monospace }
pre { background: var(--soft); border: 1px solid var(--line); border-radius: 6px; padding: .7rem; overflow-x: auto; white-space: pre-wrap }
nav ul { columns: 17rem; list-style: none; padding: 0; margin: .2rem 0 1rem }
.wide { overflow-x: auto }
table { border-collapse: collapse; width: 100%; font-size: .93rem }
th, td { text-align: left; vertical-align: top; padding: .3rem .6rem .3rem 0; border-top: 1px solid var(--line); min-width: 5rem }
.call { font-weight: 600 } .note { opacity: .8; font-size: .92rem }
`

// docsTemplate is the docs page.
const docsTemplate = `<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8"/>
<meta name="viewport" content="width=device-width, initial-scale=1"/>
<title>{{.Title}} API {{.Version}}</title>
<style>{{.Style}}</style>
</head>
<body>
<h1>{{.Title}} API {{.Version}}</h1>
{{range .About}}<p>{{.}}</p>
{{end}}<p>The same for programs: <a href="/openapi.json">openapi.json</a></p>
<nav>{{range .Groups}}
<a href="#{{.Anchor}}"><b>{{.Name}}</b></a>
<ul>{{range .Calls}}<li><a href="#{{.Anchor}}">{{.Summary}}</a></li>
{{end}}</ul>{{end}}
<a href="#credentials"><b>Credentials</b></a>, <a href="#errors"><b>Errors</b></a>
</nav>
<h2 id="credentials">Credentials</h2>
<dl>{{range .Security}}<dt><code>{{.Name}}</code></dt><dd>{{.About}}</dd>
{{end}}</dl>
{{range .Groups}}<h2 id="{{.Anchor}}">{{.Name}}</h2>
<p>{{.About}}</p>
{{range .Calls}}<section>
<h3 id="{{.Anchor}}">{{.Summary}} <a href="#{{.Anchor}}" aria-label="link to this">#</a></h3>
<p class="call"><code>{{.Method}} {{.Path}}</code></p>
{{range .About}}<p>{{.}}</p>
{{end}}<p class="note"><a href="#credentials">Credential</a>: {{.Credentials}}.</p>
{{with .Parameters}}<h4>Parameters</h4>
{{template "fields" .}}{{end}}
{{- with .Fields}}<h4>Request</h4>
{{template "fields" .}}{{end}}
{{- if .Fields}}<p class="note">{{if .Ignores}}Fields that are not here are ignored.{{else}}Fields that are not here are refused.{{end}}</p>
{{end}}<h4>Answer</h4>
<p>{{.Status}}{{if not .Shows}}{{if not .Answer}}, without fields{{end}}{{end}}</p>
{{with .Answer}}{{template "fields" .}}{{end}}
{{- range .Others}}<p>{{.Status}}: {{.About}}</p>
{{end}}<h4>Example</h4>
<pre>{{.Curl}}</pre>
{{with .Shows}}<pre>{{.}}</pre>
{{end}}<details><summary>Errors</summary>
{{template "codes" .Refusals}}</details>
</section>
{{end}}{{end}}
<h2 id="errors">Errors</h2>
{{template "codes" .Codes}}
</body>
</html>
{{define "fields"}}<div class="wide"><table>
<tr><th>Name</th><th>Type</th><th>Limits</th><th>Meaning</th></tr>
{{range .}}<tr><td><code>{{.Name}}</code></td><td>{{.Type}}</td><td>{{.Limits}}</td><td>{{.About}}</td></tr>
{{end}}</table></div>
{{end}}{{define "codes"}}<div class="wide"><table>
<tr><th>Status</th><th>Code</th><th>Meaning</th></tr>
{{range .}}<tr><td>{{.Status}}</td><td><code>{{.Code}}</code></td><td>{{.About}}</td></tr>
{{end}}</table></div>
{{end}}`
