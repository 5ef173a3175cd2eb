/* y += W x. W stands column by column, so that the inner loop runs over neighbours. */
static void multiply_bf16(int rows, int columns, const uint16_t *restrict W,
                          const float *restrict x, float *restrict y)
{
    int j = 0;
    for (; j < columns - 3; j += 4, W += 4 * (ptrdiff_t)rows) {
        const uint16_t *W1 = W + rows, *W2 = W1 + rows, *W3 = W2 + rows;
        for (int i = 0; i < rows; i++)
            y[i] += (bf16(W[i]) * x[j] + bf16(W1[i]) * x[j + 1])
                  + (bf16(W2[i]) * x[j + 2] + bf16(W3[i]) * x[j + 3]);
    }
    for (; j < columns; j++, W += rows)
        for (int i = 0; i < rows; i++)
            y[i] += bf16(W[i]) * x[j];
}
