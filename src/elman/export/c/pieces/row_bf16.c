/* y = W's row i, of a symbol. There is none beyond the last. */
static void row_bf16(int rows, int columns, const uint16_t *restrict W, int32_t i,
                     float *restrict y)
{
    if (i < 0 || i >= rows)
        fill(columns, NAN, y);
    else
        for (int j = 0; j < columns; j++)
            y[j] = bf16(W[(size_t)j * rows + i]);
}
