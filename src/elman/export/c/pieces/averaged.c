/* y [steps, n] = at each step the mean of `count` steps of x [steps, n], the first of them `before`
   steps earlier; zeros stand beyond both ends */
static void averaged(size_t steps, int n, int count, int before, const float *restrict x,
                     float *restrict y)
{
    for (size_t t = 0; t < steps; t++, y += n) {
        const size_t start = t < (size_t)before ? 0 : t - (size_t)before;
        const size_t end = t + (size_t)(count - before);
        for (int i = 0; i < n; i++)
            y[i] = 0.0f;
        for (size_t s = start; s < end && s < steps; s++)
            for (int i = 0; i < n; i++)
                y[i] += x[s * n + i];
        for (int i = 0; i < n; i++)
            y[i] /= (float)count;
    }
}
