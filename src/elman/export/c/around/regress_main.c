/* Tells values of sequences, in the units of the data. A sequence is @FORMAT@
 * and an empty line ends it:
 *
 *     ./@FILE@ < sequences.txt
 *
 * cc -O3 @FILE@.c @FILE@_main.c -o @FILE@ -lm */
#include "@FILE@.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MOST = 1 << 12, INPUTS = @INPUTS@, OUTPUTS = @OUTPUTS@, TOLD = @TOLD@ }; /* MOST steps */
static float x[MOST * INPUTS], y[MOST * OUTPUTS];
@ARRAYS@

@ROWS@
int main(void)
{
    double raw[INPUTS], told[OUTPUTS];
    for (;;) {
        size_t steps = 0;
@KNOWN@
        while (next_row(raw, INPUTS, @FIRST@)) {
            if (steps == MOST) {
                fprintf(stderr, "line %lu: a sequence of more than %d steps\n", line_number, MOST);
                return 2;
            }
            @PREFIX@_scale(raw, x + steps++ * INPUTS);
        }
        if (steps == 0)
            return 0;
@CALLS@
        for (size_t t = 0; t < (TOLD ? steps : 1); t++) {
            @PREFIX@_unscale(y + t * OUTPUTS, told);
            for (int o = 0; o < OUTPUTS; o++)
                printf("%s%.17g", o > 0 ? " " : "", told[o]);
            printf("\n");
        }
        if (TOLD)
            printf("\n");
    }
}
