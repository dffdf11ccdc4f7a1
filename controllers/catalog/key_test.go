// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package catalog_test

import (
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/image-catalog/image-catalog-operator/controllers/catalog"
)

func TestQueriesWithTheSameMeaningHaveTheSameKey(t *testing.T) {
	account := catalog.Account{Source: "secret/a", SecretID: "id", SecretKey: "key"}
	for name, tc := range map[string]struct{ a, b catalog.Query }{
		"ids in another order": {
			a: catalog.Query{Region: "r", ImageIDs: []string{"img-1", "img-2"}},
			b: catalog.Query{Region: "r", ImageIDs: []string{"img-2", "img-1"}},
		},
		"an id twice": {
			a: catalog.Query{ImageIDs: []string{"img-1", "img-1"}},
			b: catalog.Query{ImageIDs: []string{"img-1"}},
		},
		"filters in another order": {
			a: catalog.Query{Filters: []catalog.Filter{{Name: "a", Values: []string{"1"}}, {Name: "b", Values: []string{"2"}}}},
			b: catalog.Query{Filters: []catalog.Filter{{Name: "b", Values: []string{"2"}}, {Name: "a", Values: []string{"1"}}}},
		},
		"filters of one name in another order": {
			a: catalog.Query{Filters: []catalog.Filter{{Name: "a", Values: []string{"1"}}, {Name: "a", Values: []string{"2"}}}},
			b: catalog.Query{Filters: []catalog.Filter{{Name: "a", Values: []string{"2"}}, {Name: "a", Values: []string{"1"}}}},
		},
		"values in another order": {
			a: catalog.Query{Filters: []catalog.Filter{{Name: "a", Values: []string{"1", "2"}}}},
			b: catalog.Query{Filters: []catalog.Filter{{Name: "a", Values: []string{"2", "1"}}}},
		},
		"nil and empty lists": {
			a: catalog.Query{Filters: []catalog.Filter{}, ImageIDs: []string{}},
			b: catalog.Query{},
		},
		"fresh or not, the question is the same": {a: catalog.Query{Fresh: true}, b: catalog.Query{}},
	} {
		t.Run(name, func(t *testing.T) {
			if a, b := catalog.Key(account, tc.a), catalog.Key(account, tc.b); a != b {
				t.Errorf("keys differ:\n%s\n%s", a, b)
			}
		})
	}
}

func TestQueriesWithDifferentMeaningHaveDifferentKeys(t *testing.T) {
	account := catalog.Account{Source: "s", SecretID: "id", SecretKey: "key", Token: "token"}
	base := catalog.Query{Region: "r", InstanceType: "t", Filters: []catalog.Filter{{Name: "a", Values: []string{"1", "2"}}}}
	keys := map[string]string{catalog.Key(account, base): "the base"}
	add := func(name string, account catalog.Account, query catalog.Query) {
		t.Helper()
		key := catalog.Key(account, query)
		if other, ok := keys[key]; ok {
			t.Errorf("%s has the key of %s:\n%s", name, other, key)
		}
		keys[key] = name
	}
	with := func(change func(*catalog.Account)) catalog.Account {
		changed := account
		change(&changed)
		return changed
	}
	add("another source", with(func(a *catalog.Account) { a.Source = "s2" }), base)
	add("another secretId", with(func(a *catalog.Account) { a.SecretID = "id2" }), base)
	add("another secretKey", with(func(a *catalog.Account) { a.SecretKey = "key2" }), base)
	add("another token", with(func(a *catalog.Account) { a.Token = "token2" }), base)
	add("no token", with(func(a *catalog.Account) { a.Token = "" }), base)
	add("parts of the keys moved", with(func(a *catalog.Account) { a.SecretID, a.SecretKey = "idk", "ey" }), base)
	add("another identity", with(func(a *catalog.Account) { a.Ambient = "ambient" }), base)
	add("a role", with(func(a *catalog.Account) { a.Roles[0].ARN = "role" }), base)
	add("a role after it", with(func(a *catalog.Account) { a.Roles[0].ARN, a.Roles[1].ARN = "role", "role" }), base)
	add("a role with an external id", with(func(a *catalog.Account) { a.Roles[0] = catalog.Role{ARN: "role", ExternalID: "x"} }), base)
	add("an account that the keys must belong to", with(func(a *catalog.Account) { a.AccountID = "100000000001" }), base)
	add("another region", account, catalog.Query{Region: "r2", InstanceType: "t", Filters: base.Filters})
	add("another instance type", account, catalog.Query{Region: "r", InstanceType: "t2", Filters: base.Filters})
	add("ids, not filters", account, catalog.Query{Region: "r", InstanceType: "t", ImageIDs: []string{"1", "2"}})
	for name, filters := range map[string][]catalog.Filter{
		"no filters":                    nil,
		"values in two filters":         {{Name: "a", Values: []string{"1"}}, {Name: "a", Values: []string{"2"}}},
		"a value that looks like two":   {{Name: "a", Values: []string{"1,2"}}},
		"a value with a line's end":     {{Name: "a", Values: []string{"1\nvalue=\"2\""}}},
		"a value with quotes":           {{Name: "a", Values: []string{`1" "2`}}},
		"a filter without values":       {{Name: "a"}},
		"a value that is a filter":      {{Name: "a", Values: []string{"1", "2"}}, {Name: "b"}},
		"a name that goes on":           {{Name: "a\" values=[\"1\" \"2\"]", Values: nil}},
		"a value that is not UTF-8":     {{Name: "a", Values: []string{"1", "2\xff"}}},
		"a value with its replacement":  {{Name: "a", Values: []string{"1", "2\ufffd"}}},
		"a value that spells an escape": {{Name: "a", Values: []string{"1", `2\xff`}}},
	} {
		add(name, account, catalog.Query{Region: "r", InstanceType: "t", Filters: filters})
	}
}

func TestKeyTellsNoSecret(t *testing.T) {
	account := catalog.Account{
		Source: "s", SecretID: canary, SecretKey: canary, Token: canary, Roles: [2]catalog.Role{{ExternalID: canary}},
	}
	if key := catalog.Key(account, catalog.Query{}); leaks(key) {
		t.Errorf("Key() = %s", key)
	}
}

// word draws texts that a naive encoding would confuse.
var word = rapid.SampledFrom([]string{
	"", "a", "b", "ab", "a,b", "a b", `"`, `a" "b`, "\n", "a\nid=\"b\"", `\n`, "\x00", "\xff", "\ufffd", `\xff`, "=", "]", "values=[]", "ä",
	"日本",
})

var query = rapid.Custom(func(t *rapid.T) catalog.Query {
	return catalog.Query{
		Region:       word.Draw(t, "region"),
		InstanceType: word.Draw(t, "type"),
		ImageIDs:     rapid.SliceOfN(word, 0, 3).Draw(t, "ids"),
		Filters: rapid.SliceOfN(rapid.Custom(func(t *rapid.T) catalog.Filter {
			return catalog.Filter{Name: word.Draw(t, "name"), Values: rapid.SliceOfN(word, 0, 3).Draw(t, "values")}
		}), 0, 3).Draw(t, "filters"),
	}
})

var account = rapid.Custom(func(t *rapid.T) catalog.Account {
	secret := rapid.Map(word, func(s string) catalog.Secret { return catalog.Secret(s) })
	role := rapid.Custom(func(t *rapid.T) catalog.Role {
		return catalog.Role{ARN: word.Draw(t, "arn"), ExternalID: secret.Draw(t, "external id")}
	})
	return catalog.Account{
		Source: word.Draw(t, "source"), SecretID: secret.Draw(t, "id"), SecretKey: secret.Draw(t, "key"), Token: secret.Draw(t, "token"),
		Ambient: word.Draw(t, "ambient"), Roles: [2]catalog.Role{role.Draw(t, "role"), role.Draw(t, "second role")},
		AccountID: word.Draw(t, "account id"),
	}
})

func TestKeysAreEqualExactlyIfTheMeaningIs(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		accountA, queryA := account.Draw(t, "account A"), query.Draw(t, "query A")
		// Independently drawn queries hardly ever have the same meaning, so half the time B is a variant of A.
		accountB, queryB := accountA, retold(queryA, rapid.Uint64().Draw(t, "seed"))
		if rapid.Bool().Draw(t, "independent") {
			accountB, queryB = account.Draw(t, "account B"), query.Draw(t, "query B")
		}
		sameKey := catalog.Key(accountA, queryA) == catalog.Key(accountB, queryB)
		if same := accountA == accountB && sameMeaning(queryA, queryB); same != sameKey {
			t.Fatalf("same meaning %t, same key %t", same, sameKey)
		}
	})
}

// retold returns the query with all unordered parts reordered.
func retold(q catalog.Query, seed uint64) catalog.Query {
	r := rand.New(rand.NewPCG(seed, 1))
	shuffled := func(in []string) []string {
		out := slices.Clone(in)
		r.Shuffle(len(out), func(i, j int) { out[i], out[j] = out[j], out[i] })
		return out
	}
	q.ImageIDs, q.Fresh = shuffled(q.ImageIDs), !q.Fresh
	q.Filters = slices.Clone(q.Filters)
	r.Shuffle(len(q.Filters), func(i, j int) { q.Filters[i], q.Filters[j] = q.Filters[j], q.Filters[i] })
	for i := range q.Filters {
		q.Filters[i].Values = shuffled(q.Filters[i].Values)
	}
	return q
}

// sameMeaning is the specification of Key: lists are compared as sets.
func sameMeaning(a, b catalog.Query) bool {
	return a.Region == b.Region && a.InstanceType == b.InstanceType && subset(a.ImageIDs, b.ImageIDs) && subset(b.ImageIDs, a.ImageIDs) &&
		filtersAmong(a.Filters, b.Filters) && filtersAmong(b.Filters, a.Filters)
}

func filtersAmong(these, those []catalog.Filter) bool {
	return !slices.ContainsFunc(these, func(f catalog.Filter) bool {
		return !slices.ContainsFunc(those, func(g catalog.Filter) bool {
			return f.Name == g.Name && subset(f.Values, g.Values) && subset(g.Values, f.Values)
		})
	})
}

func subset(these, those []string) bool {
	return !slices.ContainsFunc(these, func(s string) bool { return !slices.Contains(those, s) })
}

func TestKeyIsReadable(t *testing.T) {
	key := catalog.Key(catalog.Account{Source: "secret/acct2"}, catalog.Query{
		Region: "ap-guangzhou", ImageIDs: []string{"img-b"}, Filters: []catalog.Filter{{Name: "image-type", Values: []string{"PRIVATE_IMAGE"}}},
	})
	for _, want := range []string{`source="secret/acct2"`, `region="ap-guangzhou"`, `id="img-b"`, `"image-type"`, `"PRIVATE_IMAGE"`} {
		if !strings.Contains(key, want) {
			t.Errorf("Key() lacks %s:\n%s", want, key)
		}
	}
}
