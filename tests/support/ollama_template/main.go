// Renders prompts as Ollama does: Go's text/template on the values it hands over.
//
// Reads {"template": ..., "talks": [{"messages": [...], "tools": [...], "think": bool?}]}
// on stdin and prints {"prompts": [...], "tags": [opening, closing], "call": tag}. Types, names
// and merging of turns follow what template/template.go, thinking/template.go and
// tools/template.go of Ollama do.
package main

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"text/template"
	"text/template/parse"
)

type Call struct {
	ID       string
	Function Function
}

type Function struct {
	Index     int
	Name      string
	Arguments Arguments
}

// Printed as JSON even without the json function.
type Arguments map[string]any

func (a Arguments) String() string { return toJSON(a) }

type Message struct {
	Role       string
	Content    string
	Thinking   string
	ToolCalls  []Call
	ToolName   string
	ToolCallID string
}

type Parameters struct {
	Type       string         `json:"type"`
	Required   []string       `json:"required,omitempty"`
	Properties map[string]any `json:"properties"`
}

type ToolFunction struct {
	Name        string     `json:"name"`
	Description string     `json:"description"`
	Parameters  Parameters `json:"parameters"`
}

type Tool struct {
	Type     string       `json:"type"`
	Function ToolFunction `json:"function"`
}

func (t Tool) String() string { return toJSON(t) }

type Talk struct {
	Messages []*Message
	Tools    []Tool
	Think    *bool
}

type Input struct {
	Template string
	Talks    []Talk
}

func toJSON(value any) string {
	text, err := json.Marshal(value)
	check(err)
	return string(text)
}

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// merged joins neighbours of one role (results of tools stay apart) and gathers the system texts.
func merged(messages []*Message) (string, []*Message) {
	var system []string
	var turns []*Message
	for _, message := range messages {
		if message.Role == "system" {
			system = append(system, message.Content)
		}
		last := len(turns) - 1
		if last >= 0 && turns[last].Role == message.Role && message.Role != "tool" {
			turns[last].Content += "\n\n" + message.Content
			continue
		}
		turns = append(turns, message)
	}
	return strings.Join(system, "\n\n"), turns
}

// tags finds the words around the last .Thinking inside a range over .Messages.
func tags(list *parse.ListNode, inMessages bool, found *[2]string) {
	if list == nil {
		return
	}
	branch := func(b *parse.BranchNode, inside bool) {
		if inside && strings.Contains(b.Pipe.String(), ".Thinking") {
			around(list, found)
		}
		tags(b.List, inside, found)
		tags(b.ElseList, inside, found)
	}
	for _, node := range list.Nodes {
		switch node := node.(type) {
		case *parse.RangeNode:
			branch(&node.BranchNode, strings.Contains(node.Pipe.String(), ".Messages"))
		case *parse.IfNode:
			branch(&node.BranchNode, inMessages)
		case *parse.ActionNode:
			if inMessages && strings.Contains(node.String(), ".Thinking") {
				around(list, found)
			}
		}
	}
}

func around(list *parse.ListNode, found *[2]string) {
	for i, node := range []parse.Node{list.Nodes[0], list.Nodes[len(list.Nodes)-1]} {
		if text, ok := node.(*parse.TextNode); ok {
			found[i] = strings.TrimSpace(text.String())
		}
	}
}

// callBranch finds the first `if` over .ToolCalls, in the order of the text.
func callBranch(list *parse.ListNode) *parse.IfNode {
	if list == nil {
		return nil
	}
	for _, node := range list.Nodes {
		var branch *parse.BranchNode
		switch node := node.(type) {
		case *parse.IfNode:
			for _, command := range node.Pipe.Cmds {
				for _, argument := range command.Args {
					field, is := argument.(*parse.FieldNode)
					if is && strings.Contains(field.String(), ".ToolCalls") {
						return node
					}
				}
			}
			branch = &node.BranchNode
		case *parse.RangeNode:
			branch = &node.BranchNode
		case *parse.WithNode:
			branch = &node.BranchNode
		default:
			continue
		}
		for _, inner := range []*parse.ListNode{branch.List, branch.ElseList} {
			if found := callBranch(inner); found != nil {
				return found
			}
		}
	}
	return nil
}

// firstWords are the first words printed in any case; nothing behind an action is looked at,
// nor behind a branch that has none.
func firstWords(list *parse.ListNode) string {
	if list == nil {
		return ""
	}
	for _, node := range list.Nodes {
		switch node := node.(type) {
		case *parse.TextNode:
			if words := strings.TrimSpace(string(node.Text)); words != "" {
				return words
			}
		case *parse.IfNode:
			return firstWords(node.List) + firstWords(node.ElseList)
		case *parse.RangeNode:
			return firstWords(node.List) + firstWords(node.ElseList)
		case *parse.WithNode:
			return firstWords(node.List) + firstWords(node.ElseList)
		case *parse.ActionNode:
			return ""
		}
	}
	return ""
}

// callTag is what a call in a reply begins with; a brace where the template does not tell.
func callTag(root *parse.ListNode) string {
	branch := callBranch(root)
	if branch == nil {
		return "{"
	}
	tag, _, _ := strings.Cut(firstWords(branch.List), "{")
	if tag = strings.TrimSpace(tag); tag != "" {
		return tag
	}
	return "{"
}

func main() {
	var input Input
	check(json.NewDecoder(os.Stdin).Decode(&input))
	functions := template.FuncMap{"json": toJSON}
	compiled, err := template.New("").Option("missingkey=zero").Funcs(functions).Parse(input.Template)
	check(err)
	prompts := []string{}
	for _, talk := range input.Talks {
		system, turns := merged(talk.Messages)
		values := map[string]any{
			"System": system, "Messages": turns, "Tools": talk.Tools, "Response": "",
			"Think": talk.Think != nil && *talk.Think, "ThinkLevel": "", "IsThinkSet": talk.Think != nil,
		}
		var out strings.Builder
		check(compiled.Execute(&out, values))
		prompts = append(prompts, out.String())
	}
	var found [2]string
	tags(compiled.Tree.Root, false, &found)
	answer := map[string]any{"prompts": prompts, "tags": found, "call": callTag(compiled.Tree.Root)}
	check(json.NewEncoder(os.Stdout).Encode(answer))
}
