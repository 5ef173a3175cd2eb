/* y = the greatest of each `size` neighbours in x */
static void groups_max(int n, int size, const float *restrict x, float *restrict y)
{
    for (int i = 0; i < n; i++, x += size) {
        float most = x[0];
        for (int k = 1; k < size; k++)
            most = maximum(most, x[k]);
        y[i] = most;
    }
}
