/* Goes on from the text on standard input, as `elman generate` does:
 *
 *     printf 'Once upon' | ./@FILE@ LENGTH SEED [TEMPERATURE [TOP_K [TOP_P [REPETITION_PENALTY]]]]
 *
 * cc -O3 @FILE@.c @FILE@_main.c -o @FILE@ -lm */
#include "@FILE@.h"

#include <stdio.h>
#include <stdlib.h>

enum { MOST = 1 << 16 }; /* bytes of the text */
static char text[MOST];
static int32_t ids[MOST];
static const int32_t begin[] = {@BEGIN@}; /* is read where there is no text */
static unsigned char seen[NAME_SYMBOLS];
static name_room room;
@STATE@

int main(int count, char **given)
{
    float scores[NAME_SYMBOLS];
    char symbol[NAME_LONGEST];
    const size_t bytes = fread(text, 1, MOST, stdin);
    size_t read = name_encode(text, bytes, ids), position = 0, made = 0;
    name_sampling how;
    if (count < 3) {
        fprintf(stderr, "usage: %s LENGTH SEED [TEMPERATURE [TOP_K [TOP_P [PENALTY]]]]\n", given[0]);
        return 2;
    }
    how.temperature = count > 3 ? atof(given[3]) : 1.0;
    how.top_k = count > 4 ? (int32_t)atol(given[4]) : 0;
    how.top_p = count > 5 ? atof(given[5]) : 1.0;
    how.repetition_penalty = count > 6 ? atof(given[6]) : 1.0;
    if (read == 0)
        for (; read < sizeof begin / sizeof *begin; read++)
            ids[read] = begin[read];
@START@
    for (; position < read; position++) {
        seen[ids[position]] = 1;
@READ@
    }
    while (made++ < strtoul(given[1], NULL, 10)) {
        const double uniform = name_uniform(strtoull(given[2], NULL, 10), position++);
        int32_t token;
@SCORES@
        token = name_choose(scores, &how, seen, uniform, &room);
        if (token < 0)
            return 1;
        fwrite(symbol, 1, name_decode(token, symbol), stdout);
        seen[token] = 1;
@NEXT@
    }
    return 0;
}
