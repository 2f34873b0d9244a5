// Package memory holds the actors that remember things for clients from one request to later
// ones: where what they refer to was made, and what was said in conversations that no
// upstream remembers. They decide nothing, and no credential depends on them.
package memory
