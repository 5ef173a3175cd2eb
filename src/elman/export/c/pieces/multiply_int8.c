/* y += scale * (W x), a scale for each row. W stands column by column, so that the inner loop runs
 * over neighbours. */
static void multiply_int8(int rows, int columns, const int8_t *restrict W,
                          const float *restrict scale, const float *restrict x, float *restrict y)
{
    enum { TILE = 64 };
    for (int first = 0; first < rows; first += TILE) {
        const int n = rows - first < TILE ? rows - first : TILE;
        const int8_t *W0 = W + first;
        float sum[TILE] = {0};
        int j = 0;
        for (; j < columns - 3; j += 4, W0 += 4 * (ptrdiff_t)rows) {
            const int8_t *W1 = W0 + rows, *W2 = W1 + rows, *W3 = W2 + rows;
            for (int i = 0; i < n; i++)
                sum[i] += ((float)W0[i] * x[j] + (float)W1[i] * x[j + 1])
                        + ((float)W2[i] * x[j + 2] + (float)W3[i] * x[j + 3]);
        }
        for (; j < columns; j++, W0 += rows)
            for (int i = 0; i < n; i++)
                sum[i] += (float)W0[i] * x[j];
        for (int i = 0; i < n; i++)
            y[first + i] += scale[first + i] * sum[i];
    }
}
