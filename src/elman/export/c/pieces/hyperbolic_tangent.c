/* tanh(x) = (e^2x - 1) / (e^2x + 1) within 3 units in the last place. */
static inline float hyperbolic_tangent(float x)
{
#ifdef NAME_MATH_H
    return tanhf(x);
#else
    const float near = x < -10.0f ? -10.0f : x > 10.0f ? 10.0f : x;
    float power, small = exp_minus_1(2.0f * near, &power);
    small = power * small + (power - 1.0f); /* e^2x - 1, exact near 0 */
    return small / (small + 2.0f);
#endif
}
