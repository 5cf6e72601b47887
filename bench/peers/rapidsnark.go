// Proves with rapidsnark: reads a proving key and a witness, prints the peak of resident memory in KiB and the proof.
package main

import (
	"fmt"
	"os"
	"syscall"

	"github.com/iden3/go-rapidsnark/prover"
)

func fail(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func main() {
	key, err := os.ReadFile(os.Args[1])
	fail(err)
	witness, err := os.ReadFile(os.Args[2])
	fail(err)
	proof, _, err := prover.Groth16ProverRaw(key, witness)
	fail(err)
	var usage syscall.Rusage
	fail(syscall.Getrusage(syscall.RUSAGE_SELF, &usage))
	fmt.Printf("%d\n%s\n", usage.Maxrss, proof)
}
