/* Labels tokens. A line is a sentence, its tokens apart by blanks; its answer are their labels, as
 * `elman predict` gives them:
 *
 *     echo 'The dog barks .' | ./@FILE@
 *
 * cc -O3 @FILE@.c @FILE@_main.c -o @FILE@ -lm */
#include "@FILE@.h"

#include <stdio.h>
#include <string.h>

enum { MOST = @LONGEST@, LETTERS = @LETTERS@, SPELT = @SPELT@ }; /* MOST tokens are read together */
static int32_t tokens[MOST];
static float spelt[MOST * (SPELT + 1)], scores[MOST * NAME_LABELS];
@ARRAYS@
@SPELL@
static void tell(size_t steps, int first)
{
@CALLS@
    for (size_t t = 0; t < steps; t++) {
        const float *const one = scores + t * NAME_LABELS;
        int best = 0;
        for (int k = 1; k < NAME_LABELS; k++)
            best = one[k] > one[best] ? k : best;
        printf("%s%s", first && t == 0 ? "" : " ", name_label(best));
    }
}

int main(void)
{
    static char line[1 << 20];
    (void)spelt;
    while (fgets(line, sizeof line, stdin) != NULL) {
        size_t steps = 0;
        int first = 1;
        for (char *token = strtok(line, " \t\r\n\f\v"); token != NULL;
             token = strtok(NULL, " \t\r\n\f\v")) {
            if (steps == MOST) {
                tell(steps, first);
                steps = first = 0;
            }
            tokens[steps] = name_look_up(token, strlen(token));
@SPELT_TOKEN@
            steps++;
        }
        if (steps > 0)
            tell(steps, first);
        printf("\n");
    }
    return 0;
}
