/* Fixed convolutions (MiniRocket, arXiv:2012.08791): each filter reads the sequence, and its
 * differences; a feature is the share of the steps at which it is above a level. */
void name_beside(size_t steps, const float *x, double *scores)
{
    enum { I = @INPUTS@, C = @CLASSES@, STRETCHES = @STRETCHES@, FILTERS = @FILTERS@, LEVELS = @LEVELS@ };
    const ptrdiff_t T = (ptrdiff_t)steps;
    for (int c = 0; c < C; c++)
        scores[c] = shift_of_kernels[c];
    for (int n = 0; n < 2 * STRETCHES * FILTERS; n++) {
        const int differences = n / (STRETCHES * FILTERS), f = n % FILTERS;
        const ptrdiff_t stretch = stretches_of_kernels[n / FILTERS % STRETCHES];
        const ptrdiff_t seen = T - differences;
        int32_t above[LEVELS] = {0};
        for (ptrdiff_t t = 0; t < seen; t++) {
            float high = 0.0f;
            for (int i = 0; i < I; i++)
                for (int j = 0; j < 9; j++) {
                    const ptrdiff_t at = t + (j - 4) * stretch;
                    const float weight = filters_of_kernels[(n * I + i) * 9 + j];
                    if (at < 0 || at >= seen || weight == 0.0f)
                        continue;
                    high += weight * (differences ? x[(at + 1) * I + i] - x[at * I + i] : x[at * I + i]);
                }
            for (int l = 0; l < LEVELS; l++)
                above[l] += high > levels_of_kernels[n * LEVELS + l];
        }
        for (int l = 0; l < LEVELS; l++) {
            const int feature = (n / FILTERS * LEVELS + l) * FILTERS + f;
            const float share = (float)((double)above[l] / (double)(seen > 1 ? seen : 1));
            for (int c = 0; c < C; c++)
                scores[c] += (double)share * weights_of_kernels[feature * C + c];
        }
    }
}
