/* e^x within 2 units in the last place; 0 below -87, infinite above 88. */
static inline float exponential(float x)
{
#ifdef NAME_MATH_H
    return expf(x);
#else
    const float near = x < -88.0f ? -88.0f : x > 88.0f ? 88.0f : x;
    float power, small = exp_minus_1(near, &power);
    small = power + power * small;
    return x < -87.0f ? 0.0f : x > 88.0f ? INFINITY : small;
#endif
}
