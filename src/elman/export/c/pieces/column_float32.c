/* y += W's column j: its product with the vector that is 1 at j. There is none beyond the last. */
static void column_float32(int rows, int columns, const float *restrict W, int32_t j,
                           float *restrict y)
{
    if (j < 0 || j >= columns)
        fill(rows, NAN, y);
    else
        for (int i = 0; i < rows; i++)
            y[i] += W[(size_t)j * rows + i];
}
