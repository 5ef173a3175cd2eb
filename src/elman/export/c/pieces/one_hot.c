/* y = the vector [n] that is 1 at j. There is none beyond the last. */
static void one_hot(int n, int32_t j, float *y)
{
    fill(n, j < 0 || j >= n ? NAN : 0.0f, y);
    if (j >= 0 && j < n)
        y[j] = 1.0f;
}
