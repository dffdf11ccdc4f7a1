// Copyright The image-catalog Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"go/ast"
	"go/token"
	"go/types"
	"slices"
	"strconv"
	"strings"
)

// mutant is one change of the code: the mutator that makes it, and where.
type mutant struct {
	key
	number int
	line   int
}

// insertion is text that goes into a file at an offset, in place of the next cut bytes.
type insertion struct {
	offset, cut int
	text        string
	// Insertions at the same offset are ordered by this.
	order int
}

// instrumenter adds all mutants to a file at once, inactive: schema.go.in has the functions that it calls.
type instrumenter struct {
	source
	pkg        *types.Package
	info       *types.Info
	insertions []insertion
	mutants    []mutant
	next       *int // the number of the next mutant
}

// instrument returns the text of a file with its mutants.
func (in *instrumenter) instrument() string {
	ast.PreorderStack(in.file, nil, func(node ast.Node, stack []ast.Node) bool {
		if isCallOf(node, "make") {
			return false // a size or capacity decides nothing
		}
		in.visit(node, stack)
		return true
	})
	return in.apply()
}

func (in *instrumenter) visit(node ast.Node, stack []ast.Node) {
	switch n := node.(type) {
	case *ast.BinaryExpr:
		in.binary(n)
	case *ast.CallExpr, *ast.Ident, *ast.IndexExpr, *ast.SelectorExpr:
		if e := n.(ast.Expr); len(stack) > 0 && in.isCondition(e, stack[len(stack)-1]) {
			in.negate(e, e.Pos(), "negate condition")
		}
	case *ast.ReturnStmt:
		in.returned(n, stack)
	case *ast.BlockStmt:
		in.statements(n.List)
	case *ast.CaseClause:
		in.statements(n.Body)
	case *ast.CommClause:
		in.statements(n.Body)
	}
}

// swaps has the functions of schema.go.in for an operator, and the mutators that they have in this order.
var swaps = map[token.Token]struct {
	function string
	mutators []string
}{
	token.LSS:  {"Less", []string{"< to <=", "< to >="}},
	token.LEQ:  {"LessOrEqual", []string{"<= to <", "<= to >"}},
	token.GTR:  {"Greater", []string{"> to >=", "> to <="}},
	token.GEQ:  {"GreaterOrEqual", []string{">= to >", ">= to <"}},
	token.ADD:  {"Add", []string{"+ to -"}},
	token.SUB:  {"Sub", []string{"- to +"}},
	token.MUL:  {"Mul", []string{"* to /"}},
	token.QUO:  {"Quo", []string{"/ to *"}},
	token.LAND: {"And", []string{"&& to ||"}},
	token.LOR:  {"Or", []string{"|| to &&"}},
}

func (in *instrumenter) binary(n *ast.BinaryExpr) {
	t := in.info.Types[n]
	switch {
	case t.Value != nil: // a constant must stay one
	case n.Op == token.EQL:
		in.negate(n, n.OpPos, "== to !=")
	case n.Op == token.NEQ:
		in.negate(n, n.OpPos, "!= to ==")
	case n.Op == token.LAND || n.Op == token.LOR:
		number := in.add(n.OpPos, swaps[n.Op].mutators)
		in.wrap(n, call(swaps[n.Op].function, number), ")})")
		in.insert(n.OpPos, len(n.Op.String()), ", func() bool { return (")
	case swaps[n.Op].function != "" && (!isArithmetic(n.Op) || isNumber(t.Type)):
		in.wrap(n, call(swaps[n.Op].function, in.add(n.OpPos, swaps[n.Op].mutators)), ")")
		in.insert(n.OpPos, len(n.Op.String()), ",")
	}
}

func isArithmetic(op token.Token) bool { return op >= token.ADD && op <= token.QUO }

func isNumber(t types.Type) bool {
	basic, ok := t.Underlying().(*types.Basic)
	return ok && basic.Info()&types.IsNumeric != 0
}

func call(function string, number int) string {
	return "mutant" + function + "(" + strconv.Itoa(number) + ", "
}

// negate adds the mutant that is true where a boolean expression is false.
func (in *instrumenter) negate(e ast.Expr, at token.Pos, mutator string) {
	number := in.add(at, []string{mutator})
	in.wrap(e, "((", ") != mutantActive("+strconv.Itoa(number)+"))")
}

// isCondition reports whether an expression, which is no operator, decides something where it stands.
func (in *instrumenter) isCondition(e ast.Expr, parent ast.Node) bool {
	if t := in.info.Types[e]; t.Value != nil || !t.IsValue() || t.Type != types.Typ[types.Bool] {
		return false
	}
	switch p := parent.(type) {
	case *ast.BinaryExpr:
		return p.Op == token.LAND || p.Op == token.LOR
	case *ast.UnaryExpr:
		return p.Op == token.NOT
	case *ast.IfStmt:
		return p.Cond == e
	case *ast.ForStmt:
		return p.Cond == e
	case *ast.CaseClause:
		return slices.Contains(p.List, e)
	case *ast.ReturnStmt:
		return true
	}
	return false
}

// returned adds mutants that return the zero value of a result, or the other boolean.
func (in *instrumenter) returned(n *ast.ReturnStmt, stack []ast.Node) {
	results := in.resultsOf(stack)
	if results == nil || results.Len() != len(n.Results) {
		return
	}
	for i, e := range n.Results {
		t := in.info.Types[e]
		switch {
		case t.Value != nil && types.Identical(types.Default(t.Type), types.Typ[types.Bool]):
			in.negate(e, e.Pos(), "return the other boolean")
		case isBoolean(t.Type) || t.IsNil() || isZero(e, t) || !types.Identical(t.Type, results.At(i).Type()):
		case t.Value == nil:
			in.wrap(e, call("Zero", in.add(e.Pos(), []string{"return zero"})), ")")
		default: // a constant takes the type that it is needed as
			name := types.TypeString(t.Type, types.RelativeTo(in.pkg))
			if !strings.Contains(name, ".") {
				in.wrap(e, call("Zero["+name+"]", in.add(e.Pos(), []string{"return zero"})), ")")
			}
		}
	}
}

func isBoolean(t types.Type) bool {
	basic, ok := t.Underlying().(*types.Basic)
	return ok && basic.Info()&types.IsBoolean != 0
}

func isZero(e ast.Expr, t types.TypeAndValue) bool {
	literal, ok := e.(*ast.CompositeLit)
	return ok && len(literal.Elts) == 0 || t.Value != nil && (t.Value.ExactString() == "0" || t.Value.ExactString() == `""`)
}

// resultsOf returns the results of the innermost function.
func (in *instrumenter) resultsOf(stack []ast.Node) *types.Tuple {
	for _, node := range slices.Backward(stack) {
		switch f := node.(type) {
		case *ast.FuncLit:
			return in.info.TypeOf(f).(*types.Signature).Results()
		case *ast.FuncDecl:
			return in.info.Defs[f.Name].Type().(*types.Signature).Results()
		}
	}
	return nil
}

// statements adds mutants that leave a statement out.
func (in *instrumenter) statements(list []ast.Stmt) {
	for _, statement := range list {
		switch s := statement.(type) {
		case *ast.ExprStmt:
			if isCallOf(s.X, "panic") {
				continue // the compiler takes it for the end of a function
			}
		case *ast.AssignStmt:
			if s.Tok == token.DEFINE || isBlank(s.Lhs) {
				continue
			}
		case *ast.BranchStmt:
			if s.Tok != token.BREAK && s.Tok != token.CONTINUE {
				continue
			}
		case *ast.IncDecStmt, *ast.DeferStmt, *ast.GoStmt, *ast.SendStmt:
		default:
			continue
		}
		number := in.add(statement.Pos(), []string{"remove statement"})
		in.wrap(statement, "if !mutantActive("+strconv.Itoa(number)+") { ", " }")
	}
}

func isCallOf(node ast.Node, function string) bool {
	c, ok := node.(*ast.CallExpr)
	if !ok {
		return false
	}
	name, ok := c.Fun.(*ast.Ident)
	return ok && name.Name == function
}

func isBlank(left []ast.Expr) bool {
	return !slices.ContainsFunc(left, func(e ast.Expr) bool {
		name, ok := e.(*ast.Ident)
		return !ok || name.Name != "_"
	})
}

// add numbers mutants at a place, one for each mutator, and returns the first number.
func (in *instrumenter) add(at token.Pos, mutators []string) int {
	first, position := *in.next, in.set.Position(at)
	for _, mutator := range mutators {
		in.mutants = append(in.mutants, mutant{in.keyOf(position, mutator), *in.next, position.Line})
		*in.next++
	}
	return first
}

// wrap puts text around a node. Outer nodes are wrapped first.
func (in *instrumenter) wrap(n ast.Node, before, after string) {
	in.insert(n.Pos(), 0, before)
	in.insert(n.End(), 0, after)
	in.insertions[len(in.insertions)-1].order *= -1 // closes before what is further out
}

func (in *instrumenter) insert(at token.Pos, cut int, text string) {
	in.insertions = append(in.insertions, insertion{in.set.Position(at).Offset, cut, text, len(in.insertions) + 1})
}

func (in *instrumenter) apply() string {
	slices.SortFunc(in.insertions, func(a, b insertion) int {
		if a.offset != b.offset {
			return a.offset - b.offset
		}
		return a.order - b.order
	})
	var out strings.Builder
	at := 0
	for _, i := range in.insertions {
		out.WriteString(in.text[at:i.offset])
		out.WriteString(i.text)
		at = i.offset + i.cut
	}
	out.WriteString(in.text[at:])
	return out.String()
}
