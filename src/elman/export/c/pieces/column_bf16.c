/* y += W's column j: its product with the vector that is 1 at j. There is none beyond the last. */
static void column_bf16(int rows, int columns, const uint16_t *restrict W, int32_t j,
                        float *restrict y)
{
    if (j < 0 || j >= columns)
        fill(rows, NAN, y);
    else
        for (int i = 0; i < rows; i++)
            y[i] += bf16(W[(size_t)j * rows + i]);
}
