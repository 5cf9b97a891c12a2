package httpd

import (
	"reflect"
	"slices"

	"github.com/go-json-experiment/json/jsontext"
)

// addActions documents what a message request may be, and returns the codes of all Actions; d is the documentation of the row.
func (b *describer) addActions(op *operation, rt route, d documentation) (codes []string) {
	one := &schema{Discriminator: &discriminator{PropertyName: "Action"}}
	m := media{Schema: one}
	for _, a := range b.actions {
		ad := a.doc()
		s := b.request(ad, a.name)
		one.OneOf = append(one.OneOf, s)
		one.Discriminator.Mapping.set(a.name, s.Ref)
		m.Examples.set(a.name, documentSample{ad.summary, jsontext.Value(ad.example)})
		codes = append(codes, ad.codes...)
		ad.codes = append(ad.codes, d.codes...)
		op.Actions = append(op.Actions, documentedAction{
			Action: a.name, Summary: ad.summary, Description: ad.about, Request: s, Answer: b.of(reflect.TypeOf(ad.answer), inAnswer),
			Codes: codesOf(rt, ad), example: jsontext.Value(ad.example), answerExample: jsontext.Value(ad.shows),
		})
	}
	op.RequestBody = &requestBody{Required: true, Content: object[media]{{"application/json", m}}}
	return codes
}

// answersOf is the content of the answers to all Actions.
func answersOf(acts []documentedAction) object[media] {
	one := &schema{}
	m := media{Schema: one}
	for _, a := range acts {
		if !slices.ContainsFunc(one.OneOf, func(s *schema) bool { return s.Ref == a.Answer.Ref }) {
			one.OneOf = append(one.OneOf, a.Answer)
		}
		m.Examples.set(a.Action, documentSample{"The answer to " + a.Action, a.answerExample})
	}
	return object[media]{{"application/json", m}}
}
