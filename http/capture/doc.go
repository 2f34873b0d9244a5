// Package capture takes requests and their answers down, one file each, for operators who must
// see what was said. What is secret is masked, contents too if wanted; files are the owner's
// alone, and bounded in number and size.
//
// Nothing is copied for a request that is not wanted: without Exchange there is no work, and
// where only failing requests are wanted one keeps a reference to its body and no more, until
// it has failed.
package capture
