// Package admin is the management API: it shows what the engine publishes and makes the changes
// that operators ask for. It moves no request of a client.
//
// Every route is in one table, from which both the router and the OpenAPI document are made.
// Keys in JSON that are settings are spelled as in config.yaml; all others are in snake case.
package admin
