/* Encodes with ISA-L: argv = k n length; k data shards on standard input, n - k parity shards on standard output. */
#include <isa-l/erasure_code.h>
#include <stdio.h>
#include <stdlib.h>

int main(int argc, char **argv) {
  if (argc != 4) return 64;
  int k = atoi(argv[1]), n = atoi(argv[2]), length = atoi(argv[3]);
  unsigned char *matrix = malloc((size_t)n * k);
  unsigned char *tables = malloc((size_t)32 * k * (n - k));
  unsigned char **shards = malloc(sizeof *shards * n);
  if (!matrix || !tables || !shards) return 70;
  for (int i = 0; i < n; i++) {
    if (!(shards[i] = malloc(length))) return 70;
    if (i < k && fread(shards[i], 1, length, stdin) != (size_t)length) return 65;
  }
  gf_gen_cauchy1_matrix(matrix, n, k);
  ec_init_tables(k, n - k, matrix + (size_t)k * k, tables);
  ec_encode_data(length, k, n - k, tables, shards, shards + k);
  for (int i = k; i < n; i++)
    if (fwrite(shards[i], 1, length, stdout) != (size_t)length) return 73;
  return 0;
}
