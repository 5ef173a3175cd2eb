/* A linear model of the last value, mean, deviation, least, greatest and slope of each input, the
 * length, the last @LAST@ steps, and what is known: of scaled x [steps, @INPUTS@] and s [@KNOWN@]. */
void @NAME@(size_t steps, const float *x, const double *s, float *y)
{
    enum { I = @INPUTS@, O = @OUTPUTS@, S = @KNOWN@, LAST = @LAST@, F = (6 + LAST) * I + 1 + S };
    double feature[F], squares = 0.0;
    const double middle = ((double)steps - 1.0) / 2.0;
    for (size_t t = 0; t < steps; t++)
        squares += ((double)t - middle) * ((double)t - middle);
    for (int i = 0; i < I; i++) {
        double mean = 0.0, variance = 0.0, slope = 0.0, least = x[i], most = x[i];
        for (size_t t = 0; t < steps; t++) {
            const double one = x[t * I + i];
            mean += one / (double)steps;
            slope += ((double)t - middle) * one;
            least = one < least ? one : least;
            most = one > most ? one : most;
        }
        for (size_t t = 0; t < steps; t++)
            variance += (x[t * I + i] - mean) * (x[t * I + i] - mean) / (double)steps;
        feature[i] = x[(steps - 1) * I + i];
        feature[I + i] = mean;
        feature[2 * I + i] = sqrt(variance);
        feature[3 * I + i] = least;
        feature[4 * I + i] = most;
        feature[5 * I + i] = slope / (squares > 1.0 ? squares : 1.0);
        for (int k = 0; k < LAST; k++) {
            const ptrdiff_t at = (ptrdiff_t)steps + k - LAST;
            feature[6 * I + 1 + k * I + i] = x[(at < 0 ? 0 : at) * I + i];
        }
    }
    feature[6 * I] = log((double)steps);
    for (int k = 0; k < S; k++)
        feature[F - S + k] = s[k];
    for (int o = 0; o < O; o++) {
        double sum = @NAME@_level[o];
        for (int f = 0; f < F; f++)
            sum += (feature[f] - @NAME@_mean[f]) / @NAME@_deviation[f] * @NAME@_weights[f * O + o];
        y[o] = (float)sum;
    }
}
