// N-gram models by counts, with interpolated Kneser-Ney smoothing (Kneser and Ney 1995; Chen and
// Goodman 1999, eq. 20-22):
//   p_k(w | c) = max(n(c w) - d_k, 0) / n(c) + d_k types(c) / n(c) p_{k-1}(w | c without its first)
// n counts occurrences at the highest order and different words before (continuations) below it;
// d_k = n1 / (n1 + 2 n2) from the n-grams seen once and twice; p_0 = 1 / vocabulary. A context
// never seen hands over to the shorter one. Sums to 1 over the words after any context.
#pragma once

#include <stdint.h>

#define NGRAM_MAX_ORDER 6

struct ngram; // owns its counts

// token (n): lines, each ended by 0 (CORPUS_END), below vocabulary. 1 <= order <= NGRAM_MAX_ORDER.
struct ngram *ngram_create(const int *token, int64_t n, int vocabulary, int order);
void ngram_destroy(struct ngram *ngram);

// The order - 1 words before come from context, the newest last; zeros before a line's start.
double ngram_prob(const struct ngram *ngram, const int *context, int word);

// exp of the mean -log p over token (n).
double ngram_perplexity(const struct ngram *ngram, const int *token, int64_t n);
int64_t ngram_size(const struct ngram *ngram); // different n-grams of the highest order
