/* y_t = sum of A_j y_{t-j} + sum of B_k x_{t-k} + E s + c, for j = 1 ... @P@ and k = -@AHEAD@ ... @Q@, of
 * scaled x [steps, @INPUTS@] and s [@KNOWN@]. */
void @NAME@(size_t steps, const float *x, const double *s, float *y)
{
    enum { P = @P@, Q = @Q@, AHEAD = @AHEAD@, I = @INPUTS@, O = @OUTPUTS@, S = @KNOWN@ };
    double past[P * O + Q * I + 1]; /* y, then x, before the step, the latest first */
    for (int r = 0; r < P * O + Q * I; r++) {
        past[r] = @NAME@_before[r * (S + 1) + S];
        for (int k = 0; k < S; k++)
            past[r] += @NAME@_before[r * (S + 1) + k] * s[k];
    }
    for (size_t t = 0; t < steps; t++) {
        double now[O];
        for (int o = 0; o < O; o++) {
            const double *w = @NAME@_weights + o; /* [rows, O] */
            double sum = 0.0;
            for (int r = 0; r < P * O; r++, w += O)
                sum += past[r] * *w;
            for (int k = -AHEAD; k <= Q; k++)
                for (int i = 0; i < I; i++, w += O) {
                    const ptrdiff_t at = (ptrdiff_t)t - k;
                    if (k > 0 && at < 0)
                        sum += past[P * O + (-at - 1) * I + i] * *w;
                    else if (at < (ptrdiff_t)steps)
                        sum += x[at * I + i] * *w;
                }
            for (int k = 0; k < S; k++, w += O)
                sum += s[k] * *w;
            sum += *w;
            now[o] = sum < -@FARTHEST@ ? -@FARTHEST@ : sum > @FARTHEST@ ? @FARTHEST@ : sum;
        }
        for (int r = P * O - 1; r >= O; r--)
            past[r] = past[r - O];
        for (int o = 0; o < O; o++) {
            if (P > 0)
                past[o] = now[o];
            y[t * O + o] = (float)now[o];
        }
    }
}
