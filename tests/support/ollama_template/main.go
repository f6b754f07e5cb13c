// Renders prompts as Ollama does: Go's text/template on the values it hands over.
//
// Reads {"template": ..., "talks": [{"messages": [...], "tools": [...], "think": bool?}]}
// on stdin and prints {"prompts": [...], "tags": [opening, closing]}. Types, names and
// merging of turns follow what template/template.go and thinking/template.go of Ollama do.
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
	check(json.NewEncoder(os.Stdout).Encode(map[string]any{"prompts": prompts, "tags": found}))
}
