/* y = softmax of each column of x [steps, n], over the steps */
static void softmax_over_time(size_t steps, int n, const float *restrict x, float *restrict y)
{
    for (int i = 0; i < n; i++) {
        float most = x[i], sum = 0.0f;
        for (size_t t = 1; t < steps; t++)
            most = maximum(most, x[t * n + i]);
        for (size_t t = 0; t < steps; t++)
            sum += y[t * n + i] = exponential(x[t * n + i] - most);
        for (size_t t = 0; t < steps; t++)
            y[t * n + i] /= sum;
    }
}
