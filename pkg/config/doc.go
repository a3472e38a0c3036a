// Package config reads tidings.yaml, the one file that configures all services.
//
// A [Doc] is the file with the environment laid over it. Each program asks it for the sections it owns
// ([Doc.Section], [Doc.Channels]); every problem of all of them is collected and [Doc.Err] names them together, each
// with its file, line and column, so that an operator repairs a file in one go. The sections that two services share
// are types of this package; a service's own section is a type of that service, and its checks stand beside it.
//
// A value comes from the defaults that the caller filled in, from the file, from the variable TIDINGS_SECTION__KEY, or
// from the file named by TIDINGS_SECTION__KEY_FILE, the later winning; where it came from is remembered and shown by
// [Doc.Values]. A [Secret] redacts itself wherever it could be printed.
//
// The package is not a store: nothing changes after loading, a reload reads a new Doc. It neither watches files nor
// dials anything, and it knows no service. It is the only package that knows the YAML library, and it decodes the
// syntax tree itself, because a library's own decoder can name neither the origin of a value nor a problem without
// the names of Go types.
package config
