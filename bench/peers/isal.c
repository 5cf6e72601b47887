/*
 * Seconds that ISA-L needs to encode: argv = k n length seconds. Prints two numbers: held to SSSE3 (the vector width
 * of WebAssembly), and at the full width of this machine.
 */
#include <isa-l/erasure_code.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

typedef void encoder(int, int, int, unsigned char *, unsigned char **, unsigned char **);
extern encoder ec_encode_data_sse;

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec + t.tv_nsec * 1e-9;
}

int main(int argc, char **argv) {
  if (argc != 5) return 64;
  int k = atoi(argv[1]), n = atoi(argv[2]), length = atoi(argv[3]);
  double least = atof(argv[4]);
  unsigned char *matrix = malloc((size_t)n * k);
  unsigned char *tables = malloc((size_t)32 * k * (n - k));
  unsigned char **shards = malloc(sizeof *shards * n);
  if (!matrix || !tables || !shards) return 70;
  for (int i = 0; i < n; i++) {
    if (posix_memalign((void **)&shards[i], 64, length)) return 70;
    for (int b = 0; b < length; b++) shards[i][b] = (unsigned char)rand();
  }
  gf_gen_cauchy1_matrix(matrix, n, k);
  ec_init_tables(k, n - k, matrix + (size_t)k * k, tables);
  encoder *encoders[] = {ec_encode_data_sse, ec_encode_data};
  for (int e = 0; e < 2; e++) {
    long calls = 0;
    double start = now(), elapsed = 0;
    while (elapsed < least) {
      for (int i = 0; i < 64; i++) encoders[e](length, k, n - k, tables, shards, shards + k);
      calls += 64;
      elapsed = now() - start;
    }
    printf("%.12f\n", elapsed / calls);
  }
  return 0;
}
