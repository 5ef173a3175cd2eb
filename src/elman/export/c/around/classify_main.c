/* Classifies sequences, each @FORMAT@:
 *
 *     ./@FILE@ < sequences.txt
 *
 * An answer is a line: @ANSWER@, as `elman predict` gives them.
 *
 * cc -O3 @FILE@.c @FILE@_main.c -o @FILE@ -lm */
#include "@FILE@.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MOST = @MOST@ }; /* steps; more are not read */
@ARRAYS@
@ROWS@
static void tell(const double *chances)
{
    int best = 0, told = 0;
    for (int c = 0; c < NAME_CLASSES; c++)
        best = chances[c] > chances[best] ? c : best;
    for (int c = 0; c < NAME_CLASSES; c++)
        if (@SEVERAL@ ? chances[c] >= @THRESHOLD@ : c == best)
            printf("%s%s\t%.6f", told++ ? "\t" : "", name_class(c), floor(chances[c] * 1e6) / 1e6);
    printf("\n");
}

int main(void)
{
    float scores[NAME_CLASSES];
    double chances[NAME_CLASSES];
    for (;;) {
        size_t steps = 0;
@READ@
@CALLS@
        tell(chances);
    }
}
